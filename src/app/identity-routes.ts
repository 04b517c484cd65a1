import { BUILT_IN_ROLES } from '../access/built-in-roles.ts'
import { authorityOf, type Caller, FIRST_ADMINISTRATOR } from '../access/caller.ts'
import { createOneAtATime } from '../db/one-at-a-time.ts'
import { createWorkloadIdentityRoutes } from '../http/create-workload-identity.ts'
import { deleteWorkloadIdentityRoute } from '../http/delete-workload-identity.ts'
import { getIdentityPolicyRoute } from '../http/get-identity-policy.ts'
import { getWorkloadIdentityRoute } from '../http/get-workload-identity.ts'
import { listWorkloadIdentitiesRoutes } from '../http/list-workload-identities.ts'
import { applyPoliciesRoute, planPoliciesRoute } from '../http/policy-changes.ts'
import type { Route } from '../http/route.ts'
import { undeleteWorkloadIdentityRoute } from '../http/undelete-workload-identity.ts'
import { updateWorkloadIdentityRoute } from '../http/update-workload-identity.ts'
import { applyIdentityChanges } from '../identity/apply-identity-changes.ts'
import { createWorkloadIdentity } from '../identity/create-workload-identity.ts'
import { applyBody, planBody } from '../identity/identity-changes.ts'
import { readIdentityPatch } from '../identity/identity-patch.ts'
import { planIdentities } from '../identity/plan-identities.ts'
import { deleteWorkloadIdentity, undeleteWorkloadIdentity } from '../identity/remove-workload-identity.ts'
import {
  type UpdateWorkloadIdentityDeps,
  updateWorkloadIdentity,
} from '../identity/update-workload-identity.ts'
import {
  IDENTITY_FIELDS,
  workloadIdentityPatchSchema,
  workloadIdentitySchema,
} from '../identity/workload-identity-schema.ts'
import { DEFAULT_ALGORITHMS } from '../issuer/algorithms.ts'
import { insertIssuer } from '../issuer/issuer-store.ts'
import { issuerIdFromUrl } from '../issuer/issuer-url.ts'
import { limitConcurrency } from '../policy/limit-concurrency.ts'
import { insertPolicy } from '../policy/policy-store.ts'
import type { Parts } from './parts.ts'

export function identityRoutes(parts: Parts): readonly Route[] {
  const { config, clock, db, policies, pageTokens, identities, issuers, projects } = parts
  const changesOf = (caller: Caller): UpdateWorkloadIdentityDeps => ({
    ...config,
    ...authorityOf(caller),
    db,
    clock,
    knownRoles: Object.keys(BUILT_IN_ROLES),
    findProject: projects.get,
    findIdentity: identities.find,
    findIssuer: issuers.findByUrl,
    findSimilarIssuer: issuers.findSimilar,
    checkIssuerUrl: parts.checkIssuerUrl,
    freeIssuerId: (url, isReserved) =>
      issuerIdFromUrl(url, async (id) => isReserved?.(id) === true || issuers.isTaken(id)),
    defaultAlgorithms: DEFAULT_ALGORITHMS,
    preparePolicy: parts.preparePolicy,
    insertIssuer,
    insertPolicy,
  })
  const inTurn = createOneAtATime()
  const atATime = limitConcurrency(2, 8, 'Too many plans are being made or applied: try again in a minute.')
  return [
    ...createWorkloadIdentityRoutes({
      workloadIdentityBody: workloadIdentitySchema,
      createWorkloadIdentity: (caller, id, body, projectId) =>
        createWorkloadIdentity(changesOf(caller), id, body, projectId),
    }),
    ...listWorkloadIdentitiesRoutes({ identities, projects, pageTokens }),
    getWorkloadIdentityRoute({ identities }),
    updateWorkloadIdentityRoute({
      workloadIdentityPatch: workloadIdentityPatchSchema,
      identityFields: IDENTITY_FIELDS,
      updateWorkloadIdentity: async (caller, email, { body, mask, ifMatch }) => {
        const patch = readIdentityPatch(body, mask)
        return inTurn(email, () => updateWorkloadIdentity(changesOf(caller), email, patch, ifMatch))
      },
    }),
    deleteWorkloadIdentityRoute({
      deleteIdentity: (caller, email, ifMatch) =>
        inTurn(email, () => deleteWorkloadIdentity(changesOf(caller), email, ifMatch)),
    }),
    undeleteWorkloadIdentityRoute({
      undeleteIdentity: (caller, email, ifMatch) =>
        inTurn(email, () => undeleteWorkloadIdentity(changesOf(caller), email, ifMatch)),
    }),
    getIdentityPolicyRoute({ identities, policies }),
    planPoliciesRoute({
      planBody,
      // It saves nothing, so it asks for no right to give what is planned.
      planIdentities: (asked) =>
        atATime(() => planIdentities({ ...changesOf(FIRST_ADMINISTRATOR), identities }, asked)),
    }),
    applyPoliciesRoute({
      applyBody,
      applyChanges: (caller, wanted, validateOnly) =>
        atATime(() => applyIdentityChanges({ ...changesOf(caller), identities }, wanted, validateOnly)),
    }),
  ]
}
