import type { Authority } from '../access/authority.ts'
import type { RecordChange } from '../change/change.ts'
import type { Clock } from '../clock.ts'
import { checkRevision, type IfMatch } from '../db/check-revision.ts'
import type { Database } from '../db/database.ts'
import { RequestError } from '../errors.ts'
import type { Authorship } from '../fields/authorship.ts'
import { type AcknowledgeDeps, acknowledgeFindings } from './acknowledge-findings.ts'
import type { FindFindings, SavedIdentity } from './create-workload-identity.ts'
import {
  allGiftsOf,
  type ChangeableIdentity,
  deleteIdentity,
  lockIdentity,
  type StoredIdentity,
  standingOf,
  undeleteIdentity,
  type WholeIdentity,
} from './identity-store.ts'

export type RemoveWorkloadIdentityDeps = Pick<Authority, 'checkMayGive'> & {
  readonly db: Database
  readonly clock: Clock
  readonly findIdentity: (email: string) => Promise<StoredIdentity | undefined>
  readonly recordIdentity: RecordChange<WholeIdentity>
}

export type UndeleteWorkloadIdentityDeps = RemoveWorkloadIdentityDeps &
  AcknowledgeDeps & {
    readonly findFindings: FindFindings
  }

/** Deletes an identity softly. Throws `not_found` where there is no living one, `aborted` where its etag is another. */
export async function deleteWorkloadIdentity(
  deps: RemoveWorkloadIdentityDeps,
  email: string,
  ifMatch: IfMatch,
  authorship: Authorship,
): Promise<void> {
  await withLocked(deps, email, (trx, identity, now) =>
    saveDelete(deps, trx, identity, ifMatch, authorship, now),
  )
}

/** Deletes an identity, which is locked. Throws as above, and `permission_denied`. */
export async function saveDelete(
  deps: Pick<RemoveWorkloadIdentityDeps, 'checkMayGive' | 'recordIdentity'>,
  trx: Database['kysely'],
  identity: ChangeableIdentity,
  ifMatch: IfMatch,
  authorship: Authorship,
  now: Date,
): Promise<ChangeableIdentity> {
  deps.checkMayGive(allGiftsOf(identity))
  if (identity.state === 'DELETED') {
    throw new RequestError('not_found', 'There is no such workload identity, or it is deleted already.')
  }
  checkRevision(identity.revision, ifMatch)
  const deleted = await deleteIdentity(trx, identity, authorship, now)
  await deps.recordIdentity(trx, { verb: 'DELETE', before: identity, after: deleted }, authorship, now)
  return deleted
}

/**
 * Brings a deleted identity back, disabled if it was. Throws `not_found`, `failed_precondition` where it is not
 * deleted, its email was given anew, or a finding refuses it that is not acknowledged; `aborted` where its etag is
 * another. Its tests are not run: a deleted identity's could not be mended.
 */
export async function undeleteWorkloadIdentity(
  deps: UndeleteWorkloadIdentityDeps,
  email: string,
  ifMatch: IfMatch,
  authorship: Authorship,
): Promise<SavedIdentity> {
  const identity = await withLocked(deps, email, async (trx, identity, now) => {
    deps.checkMayGive(allGiftsOf(identity))
    if (identity.isSuperseded || identity.state !== 'DELETED') {
      throw new RequestError('failed_precondition', `workloadIdentities/${email} is not deleted.`)
    }
    checkRevision(identity.revision, ifMatch)
    const findings = deps.findFindings(identity, standingOf(identity))
    const acknowledged = acknowledgeFindings(
      deps,
      findings,
      identity.acknowledgements,
      authorship.acknowledge,
    )
    const undeleted = await undeleteIdentity(trx, identity, acknowledged, authorship, now)
    await deps.recordIdentity(trx, { verb: 'UNDELETE', before: identity, after: undeleted }, authorship, now)
    return undeleted
  })
  const findings = deps.findFindings(identity, standingOf(identity))
  return { identity, notices: [], findings }
}

async function withLocked(
  deps: RemoveWorkloadIdentityDeps,
  email: string,
  change: (trx: Database['kysely'], identity: ChangeableIdentity, now: Date) => Promise<ChangeableIdentity>,
): Promise<ChangeableIdentity> {
  const found = await deps.findIdentity(email)
  if (found === undefined) {
    throw new RequestError('not_found', 'There is no such workload identity.')
  }
  return deps.db.kysely
    .transaction()
    .execute(async (trx) => change(trx, await lockIdentity(trx, found.id), new Date(deps.clock())))
}
