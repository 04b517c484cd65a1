import type { RecordChange } from '../change/change.ts'
import type { Clock } from '../clock.ts'
import { checkRevision, type IfMatch } from '../db/check-revision.ts'
import type { Database } from '../db/database.ts'
import { RequestError } from '../errors.ts'
import type { Authorship } from '../fields/authorship.ts'
import { refuseDeleted } from './change-issuer.ts'
import type { IssuerStore, StoredIssuer } from './issuer-store.ts'
import type { KeyCache } from './key-cache.ts'

export type RefreshKeysDeps = {
  readonly db: Database
  readonly clock: Clock
  readonly recordIssuer: RecordChange<StoredIssuer>
  readonly issuers: Pick<IssuerStore, 'get'>
  readonly keyCache: Pick<KeyCache, 'refresh'>
}

/**
 * Fetches an issuer's keys for this instance, also those of a disabled one: that it can be reached is seen before it is
 * enabled. A fetch that fails is no error. Throws `not_found`, `aborted`, and `failed_precondition` for static keys.
 */
export async function refreshKeys(
  { db, clock, recordIssuer, issuers, keyCache }: RefreshKeysDeps,
  id: string,
  ifMatch: IfMatch,
  authorship: Authorship,
): Promise<StoredIssuer> {
  const issuer = await issuers.get(id)
  if (issuer === undefined) throw new RequestError('not_found', 'There is no such issuer.')
  checkRevision(issuer.revision, ifMatch)
  refuseDeleted(issuer)
  if (issuer.jwks !== null) {
    throw new RequestError(
      'failed_precondition',
      `issuers/${id} has static keys, which are never fetched: change its jwks to null first.`,
    )
  }
  const asked = { verb: 'REFRESH_KEYS', before: issuer, after: issuer }
  await recordIssuer(db.kysely, asked, authorship, new Date(clock()))
  await keyCache.refresh(issuer)
  return issuer
}
