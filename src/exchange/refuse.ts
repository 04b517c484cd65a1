import type { EarlierUse } from '../decision/decision.ts'
import type { RecordedDecision } from '../decision/record-decisions.ts'
import type { ErrorCode } from '../errors.ts'
import type { JsonObject, JsonValue } from '../json.ts'
import type { Verdict } from '../policy/verdict.ts'
import type { Disclosure, ExchangeRequest } from './decide.ts'
import { evenOut } from './even-out.ts'
import { explainDenial } from './explain-denial.ts'
import { plainJson, plainText } from './plain-text.ts'

/** A refusal as its caller may see it: every text is safe to be echoed by a job's script. */
export type Refusal = {
  readonly code: ErrorCode
  readonly message: string
  readonly details: readonly JsonValue[]
}

type Refused = Exclude<RecordedDecision, { outcome: 'ALLOWED' }>
type RefusalDeps = {
  readonly findEarlierUse: (issuerUrl: string, jtiHash: string) => Promise<EarlierUse | undefined>
}

const DENIED = 'Token exchange denied.'

/** Says no: of a token that failed why, inside the identity's group what would have to change, outside it nothing. */
export async function refuse(
  deps: RefusalDeps,
  request: Pick<ExchangeRequest, 'arrivedAt'>,
  decision: Refused,
  disclosure: Disclosure,
): Promise<Refusal> {
  const decisionId = decision.id
  if (disclosure.scope === 'outside') {
    await evenOut(request.arrivedAt)
    return {
      code: 'unauthenticated',
      message: DENIED,
      details: [{ decisionId, ...shownToken(disclosure.claims) }],
    }
  }
  if (disclosure.scope === 'token') {
    return {
      code: decision.reason === 'issuer_unavailable' ? 'unavailable' : 'unauthenticated',
      message: `${DENIED} ${plainText(disclosure.message)}`,
      details: [{ decisionId, reason: decision.reason, ...shownToken(disclosure.claims) }],
    }
  }
  const verdict = JSON.parse(disclosure.verdict) as Verdict
  const { message, rules } = explainDenial({
    reason: decision.reason,
    verdict,
    audience: {
      actual: disclosure.audiences,
      allowed: disclosure.allowedAudiences,
      requested: disclosure.requestedAudience,
      requestable: disclosure.requestableAudiences,
    },
    replay: await replayOf(deps, decision, disclosure.jtiHash),
  })
  const { conditions, guardrails } = verdict
  return {
    code: 'permission_denied',
    message: plainText(message),
    details: [
      plainJson({ decisionId, reason: decision.reason, rules, conditions, guardrails } as JsonObject),
    ],
  }
}

async function replayOf(deps: RefusalDeps, decision: Refused, jtiHash: string) {
  if (decision.reason !== 'token_replayed' || decision.issuerUrl === null) return undefined
  const use = await deps.findEarlierUse(decision.issuerUrl, jtiHash)
  return use && { ...use, now: decision.decideTime }
}

/** What the caller's own verified token says, so that a wrong token is recognised in the job's log. */
function shownToken(claims: JsonObject | undefined): { token?: JsonValue } {
  if (claims === undefined) return {}
  const token: Record<string, JsonValue> = {}
  for (const name of ['project_path', 'ref_path', 'pipeline_source', 'aud']) {
    const value = claims[name]
    if (typeof value === 'string' || isTextList(value)) token[name] = value
  }
  return { token: plainJson(token) }
}

function isTextList(value: JsonValue | undefined): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}
