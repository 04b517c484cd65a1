import type { StoredIdentity } from '../identity/identity-store.ts'
import type { WorkloadIdentity } from '../identity/workload-identity.ts'

/** An identity as it is answered; `notices` only in the answer to a change that has something to say. */
export function workloadIdentityJson(
  identity: StoredIdentity,
  notices: readonly string[] = [],
): WorkloadIdentity {
  return {
    name: `workloadIdentities/${identity.email}`,
    email: identity.email,
    title: identity.title,
    state: identity.state,
    etag: identity.revision,
    createTime: identity.createTime.toISOString(),
    updateTime: identity.updateTime.toISOString(),
    tokenLifetimeSeconds: identity.tokenLifetimeSeconds,
    subjectTokenUse: identity.subjectTokenUse,
    tokenAudiences: identity.tokenAudiences,
    recordedClaims: identity.recordedClaims,
    workloadIdentityConfig: identity.workloadIdentityConfig,
    policyDigest: identity.policyDigest,
    ...(notices.length > 0 && { notices }),
  }
}
