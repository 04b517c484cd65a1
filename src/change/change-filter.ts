import { z } from 'zod'
import { invalidArgument } from '../errors.ts'
import { findTimeRangeProblem, timeRangeParameters } from '../fields/time-range.ts'
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
  ...timeRangeParameters('changes'),
}

export type ChangeParameters = typeof changeParameters

type Given = { readonly [Name in keyof ChangeParameters]: z.infer<ChangeParameters[Name]> | undefined }

/** What the parameters ask for together. Throws `invalid_argument` where no change could ever be meant. */
export function readChangeFilter(given: Given): ChangeFilter {
  const problem = findTimeRangeProblem(given)
  if (problem !== undefined) throw invalidArgument(problem)
  return given
}
