import type { Clock } from '../clock.ts'
import { checkRevision, type IfMatch } from '../db/check-revision.ts'
import type { Database } from '../db/database.ts'
import { RequestError } from '../errors.ts'
import type { Authorship } from '../fields/authorship.ts'
import { deleteIdentity, lockIdentity, type StoredIdentity, undeleteIdentity } from './identity-store.ts'

export type RemoveWorkloadIdentityDeps = {
  readonly db: Database
  readonly clock: Clock
  readonly findIdentity: (email: string) => Promise<StoredIdentity | undefined>
}

/** Deletes an identity softly. Throws `not_found` where there is no living one, `aborted` where its etag is another. */
export async function deleteWorkloadIdentity(
  deps: RemoveWorkloadIdentityDeps,
  email: string,
  ifMatch: IfMatch,
  authorship: Authorship,
): Promise<void> {
  await withLocked(deps, email, async (trx, identity, now) => {
    if (identity.state === 'DELETED') {
      throw new RequestError('not_found', 'There is no such workload identity, or it is deleted already.')
    }
    checkRevision(identity.revision, ifMatch)
    return deleteIdentity(trx, identity, authorship, now)
  })
}

/**
 * Brings a deleted identity back, disabled if it was. Throws `not_found`, `failed_precondition` where it is not
 * deleted or its email was given anew, `aborted` where its etag is another.
 */
export function undeleteWorkloadIdentity(
  deps: RemoveWorkloadIdentityDeps,
  email: string,
  ifMatch: IfMatch,
  authorship: Authorship,
): Promise<StoredIdentity> {
  return withLocked(deps, email, async (trx, identity, now) => {
    if (identity.isSuperseded || identity.state !== 'DELETED') {
      throw new RequestError('failed_precondition', `workloadIdentities/${email} is not deleted.`)
    }
    checkRevision(identity.revision, ifMatch)
    return undeleteIdentity(trx, identity, authorship, now)
  })
}

async function withLocked(
  deps: RemoveWorkloadIdentityDeps,
  email: string,
  change: (trx: Database['kysely'], identity: StoredIdentity, now: Date) => Promise<StoredIdentity>,
): Promise<StoredIdentity> {
  const found = await deps.findIdentity(email)
  if (found === undefined) {
    throw new RequestError('not_found', 'There is no such workload identity.')
  }
  return deps.db.kysely
    .transaction()
    .execute(async (trx) => change(trx, await lockIdentity(trx, found.id), new Date(deps.clock())))
}
