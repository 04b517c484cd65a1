import type { Database } from '../db/database.ts'
import type { AccessTokenClaims, Audience } from './access-token.ts'

/** What was revoked is remembered for the largest clock skew and half a minute longer than it can be presented. */
const KEEP_SECONDS = 300 + 35

/**
 * Ends an access token of ours, whatever service it is for, for good: also where its identity is disabled now and
 * enabled later. Gives whose it was; undefined for what is no token of ours, or has expired: then there is nothing to do.
 */
export async function revokeToken(
  deps: {
    readonly db: Database
    readonly verifyAccessToken: (token: string, audience: Audience) => Promise<AccessTokenClaims | undefined>
  },
  token: string,
): Promise<string | undefined> {
  const claims = await deps.verifyAccessToken(token, 'any')
  if (claims === undefined) return undefined
  await deps.db.kysely
    .insertInto('revoked_tokens')
    .values({
      decision_id: claims.decisionId,
      keep_until: new Date((claims.expireTime + KEEP_SECONDS) * 1000),
    })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
  return claims.email
}
