import type { RevocableToken } from '../issuance/revoke-token.ts'

/** An access token as a change shows it: nothing that it could be made of. */
export function revocableTokenJson({ claims, isRevoked }: RevocableToken) {
  return {
    decision: `decisions/${claims.decisionId}`,
    audience: claims.audience,
    issueTime: timeOf(claims.issueTime),
    expireTime: timeOf(claims.expireTime),
    isRevoked,
  }
}

function timeOf(seconds: number): string {
  return new Date(seconds * 1000).toISOString()
}
