import { diffPolicyVersionRoute } from '../http/diff-policy-version.ts'
import { getPolicyVersionRoute } from '../http/get-policy-version.ts'
import { listPolicyVersionsRoute } from '../http/list-policy-versions.ts'
import { rollBackPolicyVersionRoute } from '../http/roll-back-policy-version.ts'
import type { Route } from '../http/route.ts'
import { diffIdentities } from '../identity/diff-identities.ts'
import { subjectOf } from '../identity/identity-store.ts'
import { rollBackWorkloadIdentity } from '../identity/roll-back-workload-identity.ts'
import { diffModules } from '../policy/diff-modules.ts'
import { createPolicyVersionStore } from '../policy/policy-version-store.ts'
import type { IdentityChanges } from './identity-routes.ts'
import type { Parts } from './parts.ts'

/** The versions of identities: what every save made of them. */
export function policyVersionRoutes(parts: Parts, { changesOf, inTurn }: IdentityChanges): readonly Route[] {
  const policyVersions = createPolicyVersionStore(parts.db)
  const reading = { ...parts, subjectOf, policyVersions }
  return [
    listPolicyVersionsRoute(reading),
    getPolicyVersionRoute(reading),
    diffPolicyVersionRoute({ ...reading, diffIdentities, diffModules }),
    rollBackPolicyVersionRoute({
      rollBackWorkloadIdentity: (caller, email, version, ifMatch, authorship) =>
        inTurn(email, async () =>
          rollBackWorkloadIdentity(
            { ...(await changesOf(caller)), findPolicyVersion: policyVersions.get },
            email,
            version,
            ifMatch,
            authorship,
          ),
        ),
    }),
  ]
}
