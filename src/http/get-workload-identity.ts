import { RequestError } from '../errors.ts'
import type { IdentityStore, StoredIdentity } from '../identity/identity-store.ts'
import { defineRoute, type Route } from './route.ts'
import { taggedAnswer } from './tagged-answer.ts'
import { workloadIdentityAnswer, workloadIdentityJson } from './workload-identity-json.ts'

/** `GET /v1/workloadIdentities/{email}`; a deleted one is answered too, with its state. */
export function getWorkloadIdentityRoute(deps: { identities: Pick<IdentityStore, 'find'> }): Route {
  return defineRoute({
    method: 'GET',
    path: '/v1/workloadIdentities/{email}',
    group: 'Workload identities',
    summary: 'Get an identity; a deleted one is answered too, with its state.',
    access: 'claimgate.workloadIdentities.get',
    query: {},
    answer: workloadIdentityAnswer,
    async handle({ params: { email = '' } }) {
      return taggedAnswer(workloadIdentityJson(await existingIdentity(deps.identities, email)))
    },
  })
}

/** The identity of this email; throws `not_found` where there never was one. */
export async function existingIdentity<Identity extends StoredIdentity>(
  identities: { readonly find: (email: string) => Promise<Identity | undefined> },
  email: string,
): Promise<Identity> {
  const identity = await identities.find(email)
  if (identity === undefined) throw new RequestError('not_found', 'There is no such workload identity.')
  return identity
}
