import { z } from 'zod'
import { RequestError } from '../errors.ts'
import type { IdentityStore } from '../identity/identity-store.ts'
import type { PolicyStore } from '../policy/policy-store.ts'
import { existingIdentity } from './get-workload-identity.ts'
import { defineRoute, type Route } from './route.ts'

/** `GET /v1/workloadIdentities/{email}/policy`: the modules that stock `opa build` makes the same verdicts from. */
export function getIdentityPolicyRoute(deps: {
  identities: Pick<IdentityStore, 'find'>
  policies: Pick<PolicyStore, 'get'>
}): Route {
  return defineRoute({
    method: 'GET',
    path: '/v1/workloadIdentities/{email}/policy',
    group: 'Workload identities',
    summary: "Get the Rego of an identity's policy: stock `opa build` makes the same verdicts from it.",
    access: 'claimgate.workloadIdentities.get',
    query: {},
    answer: z
      .strictObject({
        digest: z.string(),
        compiler: z.string(),
        entrypoint: z.string(),
        modules: z.array(z.strictObject({ path: z.string(), source: z.string() })),
        compileTime: z.iso.datetime(),
      })
      .meta({ id: 'Policy' }),
    async handle({ params: { email = '' } }) {
      const identity = await existingIdentity(deps.identities, email)
      const policy = await deps.policies.get(identity.policyDigest)
      if (policy === undefined) throw new RequestError('internal', 'The policy of this identity is missing.')
      const { digest, compiler, entrypoint, modules, compileTime } = policy
      return { body: { digest, compiler, entrypoint, modules, compileTime: compileTime.toISOString() } }
    },
  })
}
