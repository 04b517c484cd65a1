import type { Authority } from '../access/caller.ts'
import type { Clock } from '../clock.ts'
import { checkRevision, type IfMatch } from '../db/check-revision.ts'
import type { Database } from '../db/database.ts'
import { RequestError } from '../errors.ts'
import { deleteIdentity, lockIdentity, type StoredIdentity, undeleteIdentity } from './identity-store.ts'
import { rolesOf } from './workload-identity.ts'

export type RemoveWorkloadIdentityDeps = Pick<Authority, 'checkMayGive'> & {
  readonly db: Database
  readonly clock: Clock
  readonly findIdentity: (email: string) => Promise<StoredIdentity | undefined>
}

/** Deletes an identity softly. Throws `not_found` where there is no living one, `aborted` where its etag is another. */
export async function deleteWorkloadIdentity(
  deps: RemoveWorkloadIdentityDeps,
  email: string,
  ifMatch: IfMatch,
): Promise<void> {
  await withLocked(deps, email, (trx, identity, now) => saveDelete(deps, trx, identity, ifMatch, now))
}

/** Deletes an identity, which is locked. Throws as above, and `permission_denied`. */
export async function saveDelete(
  deps: Pick<RemoveWorkloadIdentityDeps, 'checkMayGive'>,
  trx: Database['kysely'],
  identity: StoredIdentity,
  ifMatch: IfMatch,
  now: Date,
): Promise<StoredIdentity> {
  deps.checkMayGive(rolesOf(identity))
  if (identity.state === 'DELETED') {
    throw new RequestError('not_found', 'There is no such workload identity, or it is deleted already.')
  }
  checkRevision(identity.revision, ifMatch)
  return deleteIdentity(trx, identity, now)
}

/**
 * Brings a deleted identity back, disabled if it was. Throws `not_found`, `failed_precondition` where it is not
 * deleted or its email was given anew, `aborted` where its etag is another.
 */
export function undeleteWorkloadIdentity(
  deps: RemoveWorkloadIdentityDeps,
  email: string,
  ifMatch: IfMatch,
): Promise<StoredIdentity> {
  return withLocked(deps, email, async (trx, identity, now) => {
    deps.checkMayGive(rolesOf(identity))
    if (identity.isSuperseded || identity.state !== 'DELETED') {
      throw new RequestError('failed_precondition', `workloadIdentities/${email} is not deleted.`)
    }
    checkRevision(identity.revision, ifMatch)
    return undeleteIdentity(trx, identity, now)
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
