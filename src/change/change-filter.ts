import { z } from 'zod'
import { invalidArgument } from '../errors.ts'
import { readTime } from '../fields/read-time.ts'
import type { ChangeFilter } from './change-store.ts'

/** How a list of changes is told which ones are wanted. */
export const changeParameters = {
  resource: z
    .string()
    .meta({ description: "The resource's name, as in `workloadIdentities/EMAIL` or `projects/payments`." }),
  author: z.string().meta({
    description:
      'Whose: `adminTokens/ID` (`first` is ADMIN_TOKEN), `workloadIdentities/EMAIL`, a job with its access token, `operator` by the command line, or `claimgate` itself, by its schedule.',
  }),
  outcome: z.enum(['DONE', 'REFUSED']),
  since: z
    .string()
    .transform(readTime)
    .meta({ description: 'No changes from before this time (RFC 3339, as in `2026-11-25T08:00:00Z`).' }),
  until: z
    .string()
    .transform(readTime)
    .meta({ description: 'Only changes from before this time (RFC 3339).' }),
}

export type ChangeParameters = typeof changeParameters

type Given = { readonly [Name in keyof ChangeParameters]: z.infer<ChangeParameters[Name]> | undefined }

/** What the parameters ask for together. Throws `invalid_argument` where no change could ever be meant. */
export function readChangeFilter(given: Given): ChangeFilter {
  if (given.since !== undefined && given.until !== undefined && given.since > given.until) {
    throw invalidArgument('The parameter since must not be later than until.')
  }
  return given
}
