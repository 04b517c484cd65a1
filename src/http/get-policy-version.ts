import type { IdentityStore, subjectOf } from '../identity/identity-store.ts'
import type { PolicyVersionStore } from '../policy/policy-version-store.ts'
import { existingIdentity } from './get-workload-identity.ts'
import { existingVersion, policyVersionAnswer, policyVersionJson } from './policy-version-json.ts'
import { defineRoute, type Route } from './route.ts'

/** `GET /v1/workloadIdentities/{email}/policyVersions/{version}`. */
export function getPolicyVersionRoute(deps: {
  identities: Pick<IdentityStore, 'find'>
  subjectOf: typeof subjectOf
  policyVersions: Pick<PolicyVersionStore, 'get'>
}): Route {
  return defineRoute({
    method: 'GET',
    path: '/v1/workloadIdentities/{email}/policyVersions/{version}',
    group: 'Workload identities',
    summary: 'Get what one save made of an identity.',
    access: 'claimgate.workloadIdentities.get',
    query: {},
    answer: policyVersionAnswer,
    async handle({ params: { email = '', version = '' } }) {
      const subject = deps.subjectOf(await existingIdentity(deps.identities, email))
      return { body: policyVersionJson(email, await existingVersion(deps.policyVersions, subject, version)) }
    },
  })
}
