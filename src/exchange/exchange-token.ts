import type { AllowedDecision, Decision, EarlierUse, Recorded } from '../decision/decision.ts'
import type { RecordDecision, RecordedDecision } from '../decision/record-decisions.ts'
import { unavailable } from '../errors.ts'
import type { IssuedToken } from '../issuance/access-token.ts'
import { type DecideDeps, type Disclosure, decide, type ExchangeRequest } from './decide.ts'
import { type Refusal, refuse } from './refuse.ts'

export type ExchangeDeps = DecideDeps & {
  readonly recordDecision: RecordDecision
  readonly signAccessToken: (decision: Recorded<AllowedDecision>) => Promise<IssuedToken>
  readonly findEarlierUse: (issuerUrl: string, jtiHash: string) => Promise<EarlierUse | undefined>
  /** Makes the next decision read anew what this one was made on. */
  readonly forgetCached: (decision: Decision) => void
}

/** What came of an exchange: a token or a refusal, and the recorded decision behind it for the log. */
export type ExchangeResult = { readonly decision: RecordedDecision } & (
  | { readonly ok: true; readonly issued: IssuedToken }
  | { readonly ok: false; readonly refusal: Refusal }
)

/** How often a decision is made anew because what it stood on changed meanwhile; a busier identity is a fault. */
const MAX_DECISIONS = 3
/** An answer has 8 s, and a statement that is on its way may take 2.5 of them. */
const RECORD_WITHIN_MS = 4_000

/**
 * Trades a CI job's token for ours: decide, record, sign. A failed record is no token: it throws `unavailable`.
 * Signing takes a recorded, allowed decision and nothing else.
 */
export async function exchangeToken(deps: ExchangeDeps, request: ExchangeRequest): Promise<ExchangeResult> {
  const { decision, disclosure } = await decideAndRecord(deps, request)
  if (decision.outcome !== 'ALLOWED') {
    return { ok: false, decision, refusal: await refuse(deps, request, decision, disclosure) }
  }
  return { ok: true, decision, issued: await deps.signAccessToken(decision) }
}

/** Decides until the decision is recorded on revisions that are still current. */
async function decideAndRecord(
  deps: ExchangeDeps,
  request: ExchangeRequest,
): Promise<{ decision: RecordedDecision; disclosure: Disclosure }> {
  for (let attempt = 0; attempt < MAX_DECISIONS; attempt++) {
    const { decision, disclosure } = await decide(deps, request)
    const recorded = await deps.recordDecision(decision, request.arrivedAt + RECORD_WITHIN_MS)
    if (recorded !== undefined) return { decision: recorded, disclosure }
    deps.forgetCached(decision)
  }
  throw unavailable('The decision could not be recorded; retry the job.')
}
