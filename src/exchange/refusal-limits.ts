import type { Clock } from '../clock.ts'
import type { RefusalOrigin } from './refusal-origin.ts'
import { createWindowCounter } from './window-counter.ts'

/** What becomes of a refusal beside its reason. */
export type RefusalRoom = {
  /** Whether it gets a row of its own. */
  readonly keepsRow: boolean
  /** Set where its origin had too many: what it is told instead of the reason. Whole seconds. */
  readonly retryAfterSeconds: number | undefined
}

export type RefusalLimits = {
  /** Counts a refusal. `isFault`: nobody who asks could have avoided it, so it is never answered with "too many". */
  count(origin: RefusalOrigin, isFault: boolean): RefusalRoom
  /** What one more refusal of a verified token would be told now. */
  look(origin: RefusalOrigin): RefusalRoom
}

/** Of tokens that did not verify, from one address in a minute. */
const MAX_UNVERIFIED = 120
/** Rows for such tokens in a minute: from one address, and from all of them. */
const MAX_ROWS = 10
const MAX_ROWS_IN_ALL = 1_000
/** Refusals of verified tokens of one project in a minute, each with a row. */
const MAX_VERIFIED = 300
/** Addresses, and projects, that are remembered: a few MB each. */
const MAX_ORIGINS = 10_000

/**
 * Limits how many refusals there are for one origin in a minute. Only what was refused is counted, and only a refusal
 * is held against a count, so that nobody's good token suffers from others' bad ones.
 */
export function createRefusalLimits(clock: Clock): RefusalLimits {
  const unverified = createWindowCounter(clock, MAX_ORIGINS)
  const verified = createWindowCounter(clock, MAX_ORIGINS)
  const rows = createWindowCounter(clock, MAX_ORIGINS)
  const allRows = createWindowCounter(clock, 1)

  function verifiedRoom(key: string, count: number): RefusalRoom {
    const isWithin = count <= MAX_VERIFIED
    return { keepsRow: isWithin, retryAfterSeconds: isWithin ? undefined : verified.secondsLeft(key) }
  }

  function countUnverified(key: string, isFault: boolean): RefusalRoom {
    const isWithin = isFault || unverified.add(key) <= MAX_UNVERIFIED
    const keepsRow = rows.add(key) <= MAX_ROWS && allRows.add('') <= MAX_ROWS_IN_ALL
    return { keepsRow, retryAfterSeconds: isWithin ? undefined : unverified.secondsLeft(key) }
  }

  return {
    count(origin, isFault) {
      const key = keyOf(origin)
      return origin.isVerified ? verifiedRoom(key, verified.add(key)) : countUnverified(key, isFault)
    },
    look(origin) {
      const key = keyOf(origin)
      return verifiedRoom(key, verified.countOf(key) + 1)
    },
  }
}

function keyOf({ callerIp, issuerUrl, claims }: RefusalOrigin): string {
  return callerIp ?? `${issuerUrl} ${claims}`
}
