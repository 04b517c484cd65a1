import { z } from 'zod'

/** Who has which role in a project, by role and member. */
export type IamPolicy = {
  readonly bindings: readonly { readonly role: string; readonly members: readonly string[] }[]
  readonly revision: string
}

/** A role that an identity has in a project; `rule` is '' where it does not matter which rule let it in. */
export type Membership = { readonly projectId: string; readonly role: string; readonly rule: string }

const MAX_MEMBERS = 1_500 // of a project, whatever their roles: what one can still read through

const output = z.unknown().optional()

/** What a project's IamPolicy is set to. Conditions and the like are refused: ignored, they would let in more. */
export const iamPolicyBody = z.strictObject({
  policy: z.strictObject({
    bindings: z
      .array(
        z.strictObject({
          role: z.string().max(100),
          members: z
            .array(z.string().max(400))
            .max(MAX_MEMBERS)
            .describe(
              '`workloadIdentity:EMAIL`, or `workloadIdentity:EMAIL#RULE`: only for tokens that met this rule.',
            ),
        }),
      )
      .max(MAX_MEMBERS)
      .superRefine((bindings, context) => {
        const count = bindings.reduce((sum, { members }) => sum + members.length, 0)
        if (count > MAX_MEMBERS) {
          context.addIssue({ code: 'custom', message: `must have at most ${MAX_MEMBERS} members in all` })
        }
      }),
    etag: z
      .string()
      .optional()
      .describe('That of the policy which was read: another by now, and nothing is changed.'),
    notices: output,
  }),
})

export type IamPolicyBody = z.infer<typeof iamPolicyBody>

/** A member as its text says it. */
export type Member = { readonly email: string; readonly rule: string; readonly isDeleted: boolean }

/** Reads `workloadIdentity:EMAIL[#RULE]`, with `deleted:` before it of a deleted identity; undefined for any other text. */
export function readMember(text: string): Member | undefined {
  const match = /^(deleted:)?workloadIdentity:([^#\s]+)(?:#([^#\s]+))?$/.exec(text)
  if (match === null) return undefined
  const [, deleted, email = '', rule = ''] = match
  return { email, rule, isDeleted: deleted !== undefined }
}

export function memberText({ email, rule, isDeleted }: Member): string {
  return `${isDeleted ? 'deleted:' : ''}workloadIdentity:${email}${rule === '' ? '' : `#${rule}`}`
}
