import { z } from 'zod'
import type { IdentityStore, subjectOf } from '../identity/identity-store.ts'
import type { PolicyVersionStore } from '../policy/policy-version-store.ts'
import { existingIdentity } from './get-workload-identity.ts'
import { nextPageToken, pageParameters, readPage } from './page.ts'
import type { PageTokens } from './page-token.ts'
import { policyVersionAnswer, policyVersionJson } from './policy-version-json.ts'
import { defineRoute, type Route } from './route.ts'

/** `GET /v1/workloadIdentities/{email}/policyVersions`: newest first; those of an earlier one of this email are not it. */
export function listPolicyVersionsRoute(deps: {
  identities: Pick<IdentityStore, 'find'>
  subjectOf: typeof subjectOf
  policyVersions: Pick<PolicyVersionStore, 'list'>
  pageTokens: PageTokens
}): Route {
  return defineRoute({
    method: 'GET',
    path: '/v1/workloadIdentities/{email}/policyVersions',
    group: 'Workload identities',
    summary: 'List what every save made of an identity, newest first.',
    access: 'claimgate.workloadIdentities.get',
    query: pageParameters,
    answer: z.strictObject({ policyVersions: z.array(policyVersionAnswer), nextPageToken }),
    async handle({ params: { email = '' }, query }) {
      const subject = deps.subjectOf(await existingIdentity(deps.identities, email))
      const page = await readPage(
        deps.pageTokens,
        { list: 'policyVersions', subject },
        query,
        (after, limit) =>
          deps.policyVersions.list(subject, {
            before: after === undefined ? undefined : Number(after),
            limit,
          }),
        ({ number }) => String(number),
      )
      const policyVersions = page.items.map((version) => policyVersionJson(email, version))
      return { body: { policyVersions, nextPageToken: page.nextPageToken } }
    },
  })
}
