import { z } from 'zod'
import { readTime } from './read-time.ts'

/** The parameters that bound a list of things by their time; `what` is what they are called. */
export function timeRangeParameters(what: string) {
  const time = z.string().transform(readTime)
  return {
    since: time.meta({
      description: `No ${what} from before this time (RFC 3339, as in \`2026-11-25T08:00:00Z\`).`,
    }),
    until: time.meta({ description: `Only ${what} from before this time (RFC 3339).` }),
  }
}

/** Why nothing can lie between the two, in milliseconds since the epoch, `until` exclusive; undefined where something can. */
export function findTimeRangeProblem({
  since,
  until,
}: {
  readonly since: number | undefined
  readonly until: number | undefined
}): string | undefined {
  if (since === undefined || until === undefined || since <= until) return undefined
  return 'The parameter since must not be later than until.'
}
