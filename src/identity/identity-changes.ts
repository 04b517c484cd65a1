import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import type { ErrorCode } from '../errors.ts'
import type { Finding } from '../finding/finding.ts'
import { workloadIdentityPatchSchema } from './workload-identity-schema.ts'

/** How many identities one plan may be of, and how many changes are made at once: a transaction of some seconds. */
const MAX_PLANNED = 1_000
const MAX_CHANGES = 1_000
/** More than a workspace has. */
const MAX_KEPT = 100_000

/** An identity as its author wants it: told by id and project, or by the email of its body. */
const wantedIdentity = z.strictObject({
  workloadIdentityId: z.string().optional(),
  project: z.string().optional().describe("The id of its project; the workspace's where absent."),
  workloadIdentity: workloadIdentityPatchSchema,
})

/** The body of a plan: some of the identities that there are to be. */
export const planBody = z.strictObject({
  workloadIdentities: z.array(wantedIdentity).max(MAX_PLANNED),
  keep: z
    .array(z.string())
    .max(MAX_KEPT)
    .optional()
    .describe(
      'Emails of what is to stay beside these; all others, of projects too, are planned to be deleted.',
    ),
})

export const CHANGE_ACTIONS = ['CREATE', 'UPDATE', 'DELETE'] as const

const wantedChange = z.strictObject({
  action: z.enum(CHANGE_ACTIONS),
  email: z.string(),
  etag: z.string().optional().describe('Of what is changed or deleted: the one that it must still have.'),
  workloadIdentity: workloadIdentityPatchSchema
    .optional()
    .describe('All of what it is to be; what is left out gets its default.'),
})

/** The body of an apply: the changes of a plan. */
export const applyBody = z.strictObject({
  changes: z.array(wantedChange).max(MAX_CHANGES),
  validateOnly: z
    .boolean()
    .optional()
    .describe('Whether to compile and check all of it only, so that the apply itself need not compile.'),
})

export type WantedIdentity = z.infer<typeof wantedIdentity>
export type WantedChange = z.infer<typeof wantedChange>
export type AskedChanges = z.infer<typeof applyBody>
export type ChangeAction = WantedChange['action']

/** What is wrong with one of many; `index` is its place among them. */
export type EntryProblem = {
  readonly index: number
  readonly email: string
  readonly field: string
  readonly message: string
  readonly code: ErrorCode
  /** What the compiler says, where it is the policy. */
  readonly problems: readonly unknown[]
  /** What BLOCK_FINDINGS refuses of it, where that is all that is wrong. */
  readonly findings: readonly Finding[]
}

/** Whether all that is wanted is so already. */
export function saysTheSame(wanted: object, current: object): boolean {
  return Object.entries(wanted).every(([name, value]) => isDeepStrictEqual(value, Reflect.get(current, name)))
}
