import type { Authority } from '../access/authority.ts'
import { checkRevision, type IfMatch } from '../db/check-revision.ts'
import type { Database } from '../db/database.ts'
import type { RevokedRange } from '../decision/count-tokens.ts'
import { RequestError } from '../errors.ts'
import { allGiftsOf, lockIdentity, revokeTokens, type StoredIdentity } from './identity-store.ts'

/**
 * Ends all access tokens that an identity was issued until now, on every instance, for good: also one whose exchange is
 * being decided, since that is decided anew, and one that is being recorded, since it is so on the revision before.
 * Tokens that are issued from now on count. Throws `not_found`, `permission_denied`, and `aborted` for another etag.
 */
export async function revokeIdentityTokens(
  deps: Pick<Authority, 'checkMayGive'> & {
    readonly db: Database
    readonly findIdentity: (email: string) => Promise<StoredIdentity | undefined>
  },
  email: string,
  ifMatch: IfMatch,
): Promise<{ readonly identity: StoredIdentity; readonly revoked: RevokedRange }> {
  const found = await deps.findIdentity(email)
  if (found === undefined) throw new RequestError('not_found', 'There is no such workload identity.')
  return deps.db.kysely.transaction().execute(async (trx) => {
    const identity = await lockIdentity(trx, found.id)
    deps.checkMayGive(allGiftsOf(identity))
    checkRevision(identity.revision, ifMatch)
    return { identity, revoked: await revokeTokens(trx, identity) }
  })
}
