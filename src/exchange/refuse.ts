import type { DecisionFacts, EarlierUse, Reason, Settled } from '../decision/decision.ts'
import type { ErrorCode } from '../errors.ts'
import type { JsonValue } from '../json.ts'
import type { Verdict } from '../policy/verdict.ts'
import { PROVIDERS } from '../provider/providers.ts'
import type { Disclosure, ExchangeRequest, OwnToken } from './decide.ts'
import type { Telling } from './decide-and-record.ts'
import { evenOut } from './even-out.ts'
import { type DenialFacts, explainDenial } from './explain-denial.ts'
import { plainJson, plainText } from './plain-text.ts'

/** A refusal as its caller may see it: every text is safe to be echoed by a job's script. */
export type Refusal = {
  readonly code: ErrorCode
  readonly message: string
  readonly details: readonly JsonValue[]
  /** Whole seconds; where it is about how many attempts there were, and about nothing else. */
  readonly retryAfterSeconds?: number
}

type Refused = Settled<Pick<DecisionFacts, 'id' | 'issuerUrl' | 'decideTime'> & { readonly reason: Reason }>
type RefusalDeps = {
  readonly findEarlierUse: (issuerUrl: string, jtiHash: string) => Promise<EarlierUse | undefined>
}

const DENIED = 'Token exchange denied.'
const TOO_MANY = 'Too many refused attempts: retry later.'

/**
 * Says no: of a token that failed why, inside the identity's group what would have to change, outside it nothing; and
 * after too many refusals the same to everybody.
 */
export async function refuse(
  deps: RefusalDeps,
  request: Pick<ExchangeRequest, 'arrivedAt'>,
  decision: Refused,
  { disclosure, retryAfterSeconds }: Telling,
): Promise<Refusal> {
  if (retryAfterSeconds !== undefined) {
    // Inside and outside an identity's group it must not tell by its time either.
    if (disclosure.scope !== 'token') await evenOut(request.arrivedAt)
    return { code: 'resource_exhausted', message: TOO_MANY, details: [], retryAfterSeconds }
  }
  const decisionId = decision.hasRow ? { decisionId: decision.id } : {}
  if (disclosure.scope === 'outside') {
    await evenOut(request.arrivedAt)
    return {
      code: 'unauthenticated',
      message: DENIED,
      details: [{ ...decisionId, ...shownToken(disclosure.token) }],
    }
  }
  if (disclosure.scope === 'token') {
    return {
      code: decision.reason === 'issuer_unavailable' ? 'unavailable' : 'unauthenticated',
      message: `${DENIED} ${plainText(disclosure.message)}`,
      details: [{ ...decisionId, reason: decision.reason, ...shownToken(disclosure.token) }],
    }
  }
  const replay = await replayOf(deps, decision, disclosure.jtiHash)
  const { message, ...shown } = tellInside(decision.reason, disclosure, replay)
  const details = { ...decisionId, reason: decision.reason, ...shown }
  return { code: 'permission_denied', message, details: [details] }
}

/** What is told inside the identity's group: the rules whose group the token met, and what is to be changed. */
export function tellInside(
  reason: Reason,
  disclosure: Extract<Disclosure, { scope: 'inside' }>,
  replay?: DenialFacts['replay'],
) {
  const verdict = JSON.parse(disclosure.verdict) as Verdict
  const { message, rules } = explainDenial({
    reason,
    verdict,
    provider: PROVIDERS[disclosure.token.provider],
    audience: {
      actual: disclosure.audiences,
      allowed: disclosure.allowedAudiences,
      requested: disclosure.requestedAudience,
      requestable: disclosure.requestableAudiences,
    },
    replay,
  })
  const shown = (part: unknown) => plainJson(part as JsonValue)
  return {
    message: plainText(message),
    rules: shown(rules),
    conditions: shown(verdict.conditions),
    guardrails: shown(verdict.guardrails),
  }
}

async function replayOf(deps: RefusalDeps, decision: Refused, jtiHash: string) {
  if (decision.reason !== 'token_replayed' || decision.issuerUrl === null) return undefined
  const use = await deps.findEarlierUse(decision.issuerUrl, jtiHash)
  return use && { ...use, now: decision.decideTime }
}

/** What the caller's own verified token says, so that a wrong token is recognised in the job's log. */
function shownToken(token: OwnToken | undefined): { token?: JsonValue } {
  if (token === undefined) return {}
  const shown: Record<string, JsonValue> = {}
  for (const name of PROVIDERS[token.provider].shownClaims) {
    const value = token.claims[name]
    if (typeof value === 'string' || isTextList(value)) shown[name] = value
  }
  return { token: plainJson(shown) }
}

function isTextList(value: JsonValue | undefined): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}
