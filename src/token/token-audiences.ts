import type { RegisteredClaims } from './check-claims.ts'

/** The audiences that a token was made for, as a list: RFC 7519 section 4.1.3 lets one stand without. */
export function tokenAudiences(claims: Pick<RegisteredClaims, 'aud'>): readonly string[] {
  return typeof claims.aud === 'string' ? [claims.aud] : claims.aud
}
