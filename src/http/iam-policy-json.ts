import { z } from 'zod'
import type { IamPolicy } from '../access/iam-policy.ts'

export const iamPolicyAnswer = z
  .strictObject({
    bindings: z.array(
      z.strictObject({
        role: z.string(),
        members: z.array(z.string()).meta({
          description:
            '`workloadIdentity:EMAIL`, or `workloadIdentity:EMAIL#RULE`: only for tokens that met this rule. `deleted:` before it: the identity is deleted, and a member again once it is undeleted.',
        }),
      }),
    ),
    etag: z.string().meta({ description: 'Changes with every change of the members; for If-Match.' }),
    notices: z.array(z.string()).optional().meta({
      description: 'What new members let in that may not be meant; only in the answer to a change.',
    }),
  })
  .meta({ id: 'IamPolicy' })

/** An IamPolicy as it is answered. */
export function iamPolicyJson({ bindings, revision }: IamPolicy, notices?: readonly string[]) {
  return { bindings, etag: revision, ...(notices !== undefined && { notices }) }
}
