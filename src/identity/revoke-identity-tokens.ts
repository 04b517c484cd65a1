import type { Authority } from '../access/authority.ts'
import type { RecordChange } from '../change/change.ts'
import type { Clock } from '../clock.ts'
import { checkRevision, type IfMatch } from '../db/check-revision.ts'
import type { Database } from '../db/database.ts'
import type { RevokedRange } from '../decision/count-tokens.ts'
import { RequestError } from '../errors.ts'
import type { Authorship } from '../fields/authorship.ts'
import {
  allGiftsOf,
  lockIdentity,
  revokeTokens,
  type StoredIdentity,
  type WholeIdentity,
} from './identity-store.ts'

/**
 * Ends all access tokens that an identity was issued until now, on every instance, for good: also one whose exchange is
 * being decided, since that is decided anew, and one that is being recorded, since it is so on the revision before.
 * Tokens that are issued from now on count. Throws `not_found`, `permission_denied`, and `aborted` for another etag.
 */
export async function revokeIdentityTokens(
  deps: Pick<Authority, 'checkMayGive'> & {
    readonly db: Database
    readonly clock: Clock
    readonly recordIdentity: RecordChange<WholeIdentity>
    readonly findIdentity: (email: string) => Promise<StoredIdentity | undefined>
  },
  email: string,
  ifMatch: IfMatch,
  authorship: Authorship,
): Promise<{ readonly identity: StoredIdentity; readonly revoked: RevokedRange }> {
  const found = await deps.findIdentity(email)
  if (found === undefined) throw new RequestError('not_found', 'There is no such workload identity.')
  return deps.db.kysely.transaction().execute(async (trx) => {
    const identity = await lockIdentity(trx, found.id)
    deps.checkMayGive(allGiftsOf(identity))
    checkRevision(identity.revision, ifMatch)
    const revoked = await revokeTokens(trx, identity)
    const after = { ...identity, revision: revoked.until }
    const change = { verb: 'REVOKE_TOKENS', before: identity, after }
    await deps.recordIdentity(trx, change, authorship, new Date(deps.clock()))
    return { identity, revoked }
  })
}
