import { z } from 'zod'
import type { diffIdentities } from '../identity/diff-identities.ts'
import type { IdentityStore, subjectOf } from '../identity/identity-store.ts'
import type { WorkloadIdentitySpec } from '../identity/workload-identity.ts'
import type { diffModules } from '../policy/diff-modules.ts'
import type { PolicyStore } from '../policy/policy-store.ts'
import type { PolicyVersion, PolicyVersionStore } from '../policy/policy-version-store.ts'
import { existingIdentity } from './get-workload-identity.ts'
import { defineRoute, type Route } from './route.ts'
import {
  againstParameter,
  comparedVersions,
  fieldDiff,
  moduleDiffs,
  versionsToCompare,
} from './version-diff.ts'

const diffAnswer = z.strictObject({
  ...comparedVersions,
  fields: z.array(fieldDiff).meta({ description: 'All but the rules.' }),
  rules: z.array(
    z.strictObject({
      id: z.string(),
      change: z.enum(['ADDED', 'REMOVED', 'CHANGED']),
      fields: z.array(fieldDiff),
    }),
  ),
  modules: moduleDiffs,
})

/** `GET …/policyVersions/{version}:diff`: what a version changed, in fields, rules and Rego. */
export function diffPolicyVersionRoute(deps: {
  identities: Pick<IdentityStore, 'find'>
  subjectOf: typeof subjectOf
  policyVersions: Pick<PolicyVersionStore, 'get'>
  policies: Pick<PolicyStore, 'get'>
  diffIdentities: typeof diffIdentities
  diffModules: typeof diffModules
}): Route {
  const modulesOf = async (version: PolicyVersion | undefined) => {
    const policy = version?.policyDigest == null ? undefined : await deps.policies.get(version.policyDigest)
    return policy?.modules ?? []
  }
  return defineRoute({
    method: 'GET',
    path: '/v1/workloadIdentities/{email}/policyVersions/{version}:diff',
    group: 'Workload identities',
    summary: 'What a version has changed: fields, rules, and the Rego as a unified diff.',
    access: 'claimgate.workloadIdentities.get',
    query: { against: againstParameter },
    answer: diffAnswer,
    async handle({ params: { email = '', version = '' }, query }) {
      const subject = deps.subjectOf(await existingIdentity(deps.identities, email))
      const { from, to } = await versionsToCompare(deps.policyVersions, subject, version, query.against)
      const [before, after] = [await modulesOf(from), await modulesOf(to)]
      return {
        body: {
          from: from?.number ?? null,
          to: to.number,
          ...deps.diffIdentities(from && specIn(from), specIn(to)),
          modules: deps.diffModules(before, after),
        },
      }
    },
  })
}

function specIn({ resource }: PolicyVersion): WorkloadIdentitySpec {
  return resource as unknown as WorkloadIdentitySpec
}
