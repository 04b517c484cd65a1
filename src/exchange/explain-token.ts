import type { Decision, DryRun, EarlierUse, Settled } from '../decision/decision.ts'
import type { JsonValue } from '../json.ts'
import type { Disclosure, ExchangeRequest } from './decide.ts'
import { decideAndRecord, type RecordingDeps } from './decide-and-record.ts'
import { evenOut } from './even-out.ts'
import { type Refusal, refuse, tellInside } from './refuse.ts'

export type ExplainDeps = RecordingDeps & {
  readonly findEarlierUse: (issuerUrl: string, jtiHash: string) => Promise<EarlierUse | undefined>
}

/** What its caller may know of what an exchange would come to; every text is safe to be echoed by a job's script. */
export type Explanation = {
  readonly outcome: 'ALLOWED' | 'DENIED'
  readonly reason?: string
  /** Of a denial inside the group: what is to be changed, in words. */
  readonly message?: string
  readonly rules?: JsonValue
  readonly conditions?: JsonValue
  readonly guardrails?: JsonValue
  /** The token was exchanged before, so that an exchange would be refused. */
  readonly alreadyUsed?: true
}

/** An explanation, or a refusal where there is none to be had: too many attempts, or an issuer that does not answer. */
export type ExplainResult = { readonly decision: Settled<DryRun> } & (
  | { readonly ok: true; readonly explanation: Explanation }
  | { readonly ok: false; readonly refusal: Refusal }
)

/** As long as the oldest token may be presented, with the largest clock skew and half a minute more. */
const KEEP_EXPLAINED_MS = (86_400 + 300 + 35) * 1_000

/** Says what an exchange would come to: decides and records as one does, issues nothing and uses nothing up. */
export async function explainToken(deps: ExplainDeps, request: ExchangeRequest): Promise<ExplainResult> {
  const { decision, telling } = await decideAndRecord(deps, request, asDryRun)
  if (telling.retryAfterSeconds !== undefined || decision.reason === 'issuer_unavailable') {
    return { ok: false, decision, refusal: await refuse(deps, request, decision, telling) }
  }
  return { ok: true, decision, explanation: await explain(deps, request, decision, telling.disclosure) }
}

function asDryRun(decision: Decision): DryRun {
  const { decidedOn, outcome, reason } = decision
  const { grant: _grant, singleUse: _singleUse, ...facts } = { grant: null, singleUse: null, ...decision }
  const keepUntil = decision.decideTime + KEEP_EXPLAINED_MS
  return { ...facts, decidedOn, outcome, reason, kind: 'DRY_RUN', keepUntil }
}

/** Outside the identity's group nothing but a no, and that without telling by its time. */
async function explain(
  deps: ExplainDeps,
  request: ExchangeRequest,
  { outcome, reason, issuerUrl }: DryRun,
  disclosure: Disclosure,
): Promise<Explanation> {
  if (disclosure.scope === 'token') return { outcome: 'DENIED', reason }
  if (disclosure.scope === 'outside') {
    await evenOut(request.arrivedAt)
    return { outcome: 'DENIED' }
  }
  const { message, ...shown } = tellInside(reason, disclosure)
  const use =
    disclosure.isSingleUse && issuerUrl !== null && (await deps.findEarlierUse(issuerUrl, disclosure.jtiHash))
  return {
    ...(outcome === 'ALLOWED' ? { outcome, reason } : { outcome: 'DENIED', reason, message }),
    ...shown,
    ...(use && { alreadyUsed: true }),
  }
}
