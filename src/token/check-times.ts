import type { RegisteredClaims } from './check-claims.ts'
import { describeAge, describeDuration } from './describe-duration.ts'
import type { TokenProblem } from './token-reason.ts'

export type TimeRules = { readonly clockSkewSeconds: number; readonly maxTokenAgeSeconds: number }

/**
 * Checks when a token may be used (RFC 7519 sections 4.1.4 to 4.1.6): before exp, from nbf on, and at most
 * `maxTokenAgeSeconds` after iat, each with the clocks' tolerance. `now` in seconds.
 */
export function checkTimes(
  claims: RegisteredClaims,
  now: number,
  rules: TimeRules,
): TokenProblem | undefined {
  const { exp, nbf, iat } = claims
  const skew = rules.clockSkewSeconds
  if (now >= exp + skew) {
    const message = `The token expired ${describeAge(now - exp)} ago. Retry the job to get a new one.`
    return { reason: 'token_expired', message }
  }
  if (nbf !== undefined && nbf > now + skew) {
    const message = `The token is not valid for another ${describeAge(nbf - now)}. Compare the clocks.`
    return { reason: 'token_not_yet_valid', message }
  }
  if (iat > now + skew) {
    const message = `The token was issued ${describeAge(iat - now)} in the future. Compare the clocks.`
    return { reason: 'token_age', message }
  }
  if (now - iat > rules.maxTokenAgeSeconds + skew) {
    const message = `The token was issued ${describeAge(now - iat)} ago; at most ${describeDuration(rules.maxTokenAgeSeconds)} are accepted. Retry the job to get a new one.`
    return { reason: 'token_age', message }
  }
  return undefined
}
