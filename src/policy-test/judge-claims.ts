import type { JsonObject } from '../json.ts'
import type { EvaluationResult } from '../policy/evaluate.ts'
import type { Verdict } from '../policy/verdict.ts'

/** What an exchange with a token of these claims would come to. */
export type Judgement = {
  readonly outcome: 'ALLOWED' | 'DENIED' | 'FAILED'
  readonly reason: string
  /** Null where no policy of the identity gave one. */
  readonly verdict: Verdict | null
}

export type JudgeDeps = {
  /** Says which of the registered claims is of a wrong shape, all of them being there. */
  readonly checkClaims: (claims: JsonObject, hasNonFiniteNumber: boolean) => string | undefined
}

type Expected = { readonly issuerUrl: string; readonly allowedAudiences: readonly string[] }

/** What every token has and a test need not say. */
const REGISTERED = { sub: 'test', exp: 0, iat: 0, jti: 'test' }
const MAX_ISSUER_LENGTH = 255

/**
 * The outcome and reason of an exchange with a token that says this, in the order in which an exchange looks for them.
 * The token's own claims (iss, sub, aud, exp, iat, jti) may be left out, and are then taken to be right; those that are
 * there count, but for their times, and as if every issuer was registered.
 */
export function judgeClaims(
  deps: JudgeDeps,
  claims: JsonObject,
  { issuerUrl, allowedAudiences }: Expected,
  evaluation: EvaluationResult,
): Judgement {
  const { iss = issuerUrl } = claims
  if (typeof iss !== 'string' || iss === '' || iss.length > MAX_ISSUER_LENGTH) return unjudged('token_issuer')
  const whole = { ...REGISTERED, aud: allowedAudiences[0] ?? '', ...claims }
  if (deps.checkClaims(whole, false) !== undefined) return unjudged('token_claims')
  if (iss !== issuerUrl) return unjudged('identity_issuer')

  const verdict = evaluation.ok ? (JSON.parse(evaluation.verdictText) as Verdict) : null
  const [audience, ...others] = [whole.aud].flat()
  const isAllowedAudience = allowedAudiences.some((allowed) => allowed === audience)
  if (others.length > 0 || !isAllowedAudience) return { outcome: 'DENIED', reason: 'token_audience', verdict }
  if (!evaluation.ok) return { outcome: 'FAILED', reason: evaluation.reason, verdict }
  if (evaluation.denial === undefined) return { outcome: 'ALLOWED', reason: 'allowed', verdict }
  return { outcome: 'DENIED', reason: evaluation.denial, verdict }
}

function unjudged(reason: string): Judgement {
  return { outcome: 'DENIED', reason, verdict: null }
}
