import type { Issuer, SignatureAlgorithm } from '../issuer/issuer.ts'
import type { JsonObject, JsonValue } from '../json.ts'
import type { TokenProblem, TokenReason } from './token-reason.ts'

const ALGORITHMS: readonly SignatureAlgorithm[] = ['RS256', 'ES256', 'ES384', 'PS256', 'EdDSA']

/** Parameters by which a token brings its own key or asks for rules that we do not follow (RFC 7515, RFC 7797). */
const REFUSED_PARAMETERS = ['jwk', 'jku', 'x5u', 'x5c', 'crit', 'b64']

export type CheckedHeader = { readonly ok: true; readonly algorithm: SignatureAlgorithm }
export type RefusedHeader = { readonly ok: false; readonly problem: TokenProblem }

/** Checks a header up to its type; `issuer` is the registered one that the token names, if there is one. */
export function checkHeader(header: JsonObject, issuer: Issuer | undefined): CheckedHeader | RefusedHeader {
  const algorithm = header.alg
  const allowed = issuer?.algorithms ?? ALGORITHMS
  if (!isSupported(algorithm) || !allowed.includes(algorithm)) {
    const expected = `${issuer ? 'this issuer signs with' : 'accepted are'} ${allowed.join(', ')}`
    return refused('token_algorithm', `The token's algorithm (alg) is ${nameOf(algorithm)}; ${expected}.`)
  }
  const parameter = REFUSED_PARAMETERS.find((name) => Object.hasOwn(header, name))
  if (parameter !== undefined) {
    return refused(
      'token_algorithm',
      `The token's header has the parameter ${parameter}, which is not accepted.`,
    )
  }
  if (Object.hasOwn(header, 'typ') && header.typ !== 'JWT') {
    const hint = header.typ === 'at+jwt' ? ' It is an access token: send the ID token of a CI job.' : ''
    return refused('token_type', `The token's type (typ) is not JWT.${hint}`)
  }
  return { ok: true, algorithm }
}

/** Never `none` and never a shared secret's, whatever an issuer's own list says. */
function isSupported(algorithm: JsonValue | undefined): algorithm is SignatureAlgorithm {
  const supported: readonly unknown[] = ALGORITHMS
  return supported.includes(algorithm)
}

function nameOf(algorithm: JsonValue | undefined): string {
  if (algorithm === undefined) return 'missing'
  return typeof algorithm === 'string' && /^[A-Za-z0-9-]{1,20}$/.test(algorithm)
    ? algorithm
    : 'not a known one'
}

function refused(reason: TokenReason, message: string): RefusedHeader {
  return { ok: false, problem: { reason, message } }
}
