import type { RecordChange } from '../change/change.ts'
import { checkActivation } from '../db/check-draft.ts'
import { checkRevision, type IfMatch } from '../db/check-revision.ts'
import { invalidArgument, RequestError } from '../errors.ts'
import type { Authorship } from '../fields/authorship.ts'
import type { Draft, DraftStore, findDraft, RemoveDraft, writeDraft } from '../policy/draft-store.ts'
import type { SavedIdentity } from './create-workload-identity.ts'
import { type IdentityPatch, readIdentityPatch } from './identity-patch.ts'
import { type ChangeableIdentity, lockIdentity, type StoredIdentity, subjectOf } from './identity-store.ts'
import {
  planUpdate,
  type UpdateWorkloadIdentityDeps,
  updateWorkloadIdentity,
} from './update-workload-identity.ts'

export type DraftDeps = UpdateWorkloadIdentityDeps & {
  readonly drafts: DraftStore
  readonly findDraft: typeof findDraft
  readonly writeDraft: typeof writeDraft
  readonly removeDraft: RemoveDraft<DraftOf>
  readonly recordDraft: RecordChange<DraftOf>
}

/** A draft, and whose it is. */
export type DraftOf = { readonly email: string; readonly draft: Draft }

export type SavedDraft = { readonly draft: Draft; readonly notices: readonly string[] }

/**
 * Drafts a change of an identity: what the identity would be after it, compiled, and stored in the place of the draft
 * that there may be. Nothing that decides is changed. `ifMatch` is about the draft. Throws as an update does.
 */
export async function draftWorkloadIdentity(
  deps: DraftDeps,
  email: string,
  patch: IdentityPatch,
  ifMatch: IfMatch,
  authorship: Authorship,
): Promise<SavedDraft> {
  if (patch.state !== undefined) {
    throw invalidArgument('state is not drafted: change it by itself, it holds for the next exchange.')
  }
  const identity = await existing(deps, email)
  const { spec, notices } = planUpdate(deps, identity, patch, undefined)
  const { digest, policy } = await deps.preparePolicy(spec.workloadIdentityConfig)
  const subject = subjectOf(identity)
  const draft = await deps.db.kysely.transaction().execute(async (trx) => {
    const now = new Date(deps.clock())
    checkRevision((await lockIdentity(trx, identity.id)).revision, [identity.revision])
    const former = await deps.findDraft(trx, subject)
    if (ifMatch !== undefined) checkRevision(former?.revision ?? '', ifMatch)
    if (policy !== undefined) await deps.insertPolicy(trx, policy, now)
    const { author } = authorship
    await deps.writeDraft(trx, { subject, resource: spec, policyDigest: digest, author }, now)
    const written = await deps.findDraft(trx, subject)
    if (written === undefined) throw new RequestError('internal', 'The draft was not stored.')
    const verb = former === undefined ? 'CREATE' : 'UPDATE'
    const before = former && { email, draft: former }
    await deps.recordDraft(trx, { verb, before, after: { email, draft: written } }, authorship, now)
    return written
  })
  return { draft, notices }
}

/**
 * Makes of an identity what its draft says: an update of all its fields. Refused unless somebody has seen what it
 * would do (`impactId`), and where the identity is another than the draft was made on.
 */
export async function activateDraft(
  deps: DraftDeps,
  email: string,
  impactId: string,
  ifMatch: IfMatch,
  authorship: Authorship,
): Promise<SavedIdentity> {
  const identity = await existing(deps, email)
  const draft = await existingDraft(deps, identity)
  checkRevision(draft.revision, ifMatch)
  checkActivation(draft, impactId, `/v1/workloadIdentities/${email}/draft:impact`)
  return updateWorkloadIdentity(deps, email, {
    patch: readIdentityPatch(draft.resource, '*'),
    ifMatch: [identity.revision],
    authorship: { ...authorship, change: 'ACTIVATION' },
    async andThen(trx, now) {
      const change = { verb: 'ACTIVATION', before: { email, draft } }
      await deps.removeDraft(trx, { ...draft, subject: subjectOf(identity) }, change, authorship, now)
    },
  })
}

/** Throws a draft away. Throws `not_found` where there is none, `aborted` where its etag is another. */
export async function deleteDraft(
  deps: Pick<DraftDeps, 'db' | 'clock' | 'findIdentity' | 'drafts' | 'removeDraft'>,
  email: string,
  ifMatch: IfMatch,
  authorship: Authorship,
): Promise<void> {
  const identity = await existing(deps, email)
  const draft = await existingDraft(deps, identity)
  checkRevision(draft.revision, ifMatch)
  await deps.db.kysely.transaction().execute(async (trx) => {
    const change = { verb: 'DELETE', before: { email, draft } }
    const now = new Date(deps.clock())
    await deps.removeDraft(trx, { ...draft, subject: subjectOf(identity) }, change, authorship, now)
  })
}

/** Throws `not_found` where there is none. */
export async function existingDraft(
  { drafts }: Pick<DraftDeps, 'drafts'>,
  identity: Pick<StoredIdentity, 'id'>,
): Promise<Draft> {
  const draft = await drafts.get(subjectOf(identity))
  if (draft === undefined) throw new RequestError('not_found', 'There is no draft of this workload identity.')
  return draft
}

async function existing(
  { findIdentity }: Pick<DraftDeps, 'findIdentity'>,
  email: string,
): Promise<ChangeableIdentity> {
  const identity = await findIdentity(email)
  if (identity === undefined) throw new RequestError('not_found', 'There is no such workload identity.')
  return identity
}
