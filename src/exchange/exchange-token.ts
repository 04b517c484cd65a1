import type { AllowedDecision, Decision, EarlierUse, Outcomes, Recorded } from '../decision/decision.ts'
import type { IssuedToken } from '../issuance/access-token.ts'
import type { ExchangeRequest } from './decide.ts'
import { decideAndRecord, type RecordingDeps } from './decide-and-record.ts'
import { type Refusal, refuse } from './refuse.ts'

export type ExchangeDeps = RecordingDeps & {
  readonly signAccessToken: (decision: Recorded<AllowedDecision>) => Promise<IssuedToken>
  readonly findEarlierUse: (issuerUrl: string, jtiHash: string) => Promise<EarlierUse | undefined>
}

/** What came of an exchange: a token or a refusal, and the decision behind it for the log. */
export type ExchangeResult = { readonly decision: Outcomes<Decision> } & (
  | { readonly ok: true; readonly issued: IssuedToken }
  | { readonly ok: false; readonly refusal: Refusal }
)

/**
 * Trades a CI job's token for ours: decide, record, sign. A failed record is no token: it throws `unavailable`.
 * Signing takes a recorded, allowed decision and nothing else.
 */
export async function exchangeToken(deps: ExchangeDeps, request: ExchangeRequest): Promise<ExchangeResult> {
  const { decision, telling } = await decideAndRecord(deps, request, (decided) => decided)
  if (decision.outcome !== 'ALLOWED') {
    return { ok: false, decision, refusal: await refuse(deps, request, decision, telling) }
  }
  return { ok: true, decision, issued: await deps.signAccessToken(decision) }
}
