import type { Decision, DryRun, Outcomes } from '../decision/decision.ts'
import type { RecordDecision } from '../decision/record-decisions.ts'
import { unavailable } from '../errors.ts'
import { type DecideDeps, type Disclosure, decide, type ExchangeRequest } from './decide.ts'
import type { RefusalLimits, RefusalRoom } from './refusal-limits.ts'
import { type RefusalOrigin, refusalOrigin } from './refusal-origin.ts'

export type RecordingDeps = DecideDeps & {
  readonly recordDecision: RecordDecision
  readonly refusalLimits: RefusalLimits
  /** Counts a refusal that got no row of its own. */
  readonly countAttempt: (origin: RefusalOrigin, attempt: Decision | DryRun) => void
  /** Makes the next decision read anew what this one was made on. */
  readonly forgetCached: (decision: Pick<Decision, 'identity' | 'issuerUrl' | 'outcome'>) => Promise<void>
}

/** What a caller may be told of a decision that is not in its favour. */
export type Telling = {
  readonly disclosure: Disclosure
  /** Set where its origin had too many refusals: then this is all that is told. Whole seconds. */
  readonly retryAfterSeconds: number | undefined
}

/** How often a decision is made anew because what it stood on changed meanwhile; a busier identity is a fault. */
const MAX_DECISIONS = 3
/** An answer has 8 s, and a statement that is on its way may take 2.5 of them. */
const RECORD_WITHIN_MS = 4_000

/** Decides until the decision, or what `as` makes of it, is recorded on revisions that are still current. */
export async function decideAndRecord<D extends Decision | DryRun>(
  deps: RecordingDeps,
  request: ExchangeRequest,
  as: (decision: Decision) => D,
): Promise<{ readonly decision: Outcomes<D>; readonly telling: Telling }> {
  const limits = countingOnce(deps.refusalLimits)
  for (let attempt = 0; attempt < MAX_DECISIONS; attempt++) {
    const { decision: decided, disclosure } = await decide(deps, request)
    const recorded = await recordWithinLimits(deps, limits, request, as(decided), disclosure)
    if (recorded !== undefined) return recorded
    await deps.forgetCached(decided)
  }
  throw unavailable('The decision could not be recorded; retry the job.')
}

/** That a decision was made anew must not count, or who counts along learns that an identity is there and was changed. */
function countingOnce({ count, look }: RefusalLimits): RefusalLimits {
  let counted: RefusalRoom | undefined
  return {
    look,
    count(origin, isFault) {
      counted ??= count(origin, isFault)
      return counted
    },
  }
}

/** Only a refusal is held against the limits; whether it was made on current revisions is asked whatever they say. */
async function recordWithinLimits<D extends Decision | DryRun>(
  deps: RecordingDeps,
  limits: RefusalLimits,
  request: ExchangeRequest,
  decision: D,
  disclosure: Disclosure,
) {
  const { recordDecision, countAttempt } = deps
  const origin = refusalOrigin(decision, disclosure)
  const isRefused = decision.outcome !== 'ALLOWED'
  const room = isRefused
    ? limits.count(origin, decision.reason === 'issuer_unavailable')
    : limits.look(origin)
  const recordBy = request.arrivedAt + RECORD_WITHIN_MS
  const recorded = await recordDecision(decision, { recordBy, keepRefusal: room.keepsRow })
  if (recorded === undefined) return undefined

  const telling = { disclosure, retryAfterSeconds: undefined }
  if (recorded.outcome === 'ALLOWED') return { decision: recorded, telling }
  if (!room.keepsRow) countAttempt(origin, recorded)
  // That a token was used before is found only now.
  const late = isRefused ? room : limits.count(origin, false)
  const retryAfterSeconds = room.retryAfterSeconds ?? late.retryAfterSeconds
  return { decision: recorded, telling: { disclosure, retryAfterSeconds } }
}
