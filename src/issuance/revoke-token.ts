import type { RecordChange } from '../change/change.ts'
import type { Clock } from '../clock.ts'
import type { Database } from '../db/database.ts'
import type { Authorship } from '../fields/authorship.ts'
import type { AccessTokenClaims, Audience } from './access-token.ts'

/** An access token as changes show it: by the decision that it was issued on. */
export type RevocableToken = { readonly claims: AccessTokenClaims; readonly isRevoked: boolean }

/** What was revoked is remembered for the largest clock skew and half a minute longer than it can be presented. */
const KEEP_SECONDS = 300 + 35

/**
 * Ends an access token of ours, whatever service it is for, for good: also where its identity is disabled now and
 * enabled later. Gives whose it was; undefined for what is no token of ours, or has expired: then there is nothing to do,
 * as where it was ended before. Without an `author` it is whoever bears the token.
 */
export async function revokeToken(
  deps: {
    readonly db: Database
    readonly clock: Clock
    readonly verifyAccessToken: (token: string, audience: Audience) => Promise<AccessTokenClaims | undefined>
    readonly recordToken: RecordChange<RevocableToken>
  },
  token: string,
  authorship: Authorship,
): Promise<string | undefined> {
  const claims = await deps.verifyAccessToken(token, 'any')
  if (claims === undefined) return undefined
  await deps.db.kysely.transaction().execute(async (trx) => {
    const revoked = await trx
      .insertInto('revoked_tokens')
      .values({
        decision_id: claims.decisionId,
        keep_until: new Date((claims.expireTime + KEEP_SECONDS) * 1000),
      })
      .onConflict((conflict) => conflict.doNothing())
      .returning('decision_id')
      .executeTakeFirst()
    if (revoked === undefined) return
    const change = {
      verb: 'REVOKE',
      before: { claims, isRevoked: false },
      after: { claims, isRevoked: true },
    }
    const author = authorship.author || `workloadIdentities/${claims.email}`
    await deps.recordToken(trx, change, { ...authorship, author }, new Date(deps.clock()))
  })
  return claims.email
}
