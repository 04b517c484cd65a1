import type { IfMatch } from '../db/check-revision.ts'
import { RequestError } from '../errors.ts'
import type { Authorship } from '../fields/authorship.ts'
import type { PolicyVersionStore } from '../policy/policy-version-store.ts'
import type { SavedIdentity } from './create-workload-identity.ts'
import { readIdentityPatch } from './identity-patch.ts'
import { subjectOf } from './identity-store.ts'
import { type UpdateWorkloadIdentityDeps, updateWorkloadIdentity } from './update-workload-identity.ts'

/**
 * Makes of an identity again what it was in a version: an update of all its fields, judged by what holds today. Its
 * state stays, so that what was disabled is not enabled by the way. Throws as an update does, and `not_found` where
 * there is no such version.
 */
export async function rollBackWorkloadIdentity(
  deps: UpdateWorkloadIdentityDeps & { readonly findPolicyVersion: PolicyVersionStore['get'] },
  email: string,
  number: number,
  ifMatch: IfMatch,
  authorship: Authorship,
): Promise<SavedIdentity> {
  const identity = await deps.findIdentity(email)
  if (identity === undefined) throw new RequestError('not_found', 'There is no such workload identity.')
  const version = await deps.findPolicyVersion(subjectOf(identity), number)
  if (version === undefined) throw new RequestError('not_found', 'There is no such policy version.')
  return updateWorkloadIdentity(deps, email, {
    patch: readIdentityPatch(version.resource, '*'),
    // Of this identity, and not of one that has its email by then: that one never had this version.
    ifMatch: ifMatch ?? [identity.revision],
    authorship: { ...authorship, change: 'ROLLBACK', restoredNumber: number },
  })
}
