import type { Authorship } from '../fields/authorship.ts'
import type { StoredIdentity } from '../identity/identity-store.ts'
import { authorshipOf, reasonParameter } from './authorship.ts'
import { defineRoute, type Route, type RouteRequest } from './route.ts'
import { taggedAnswer } from './tagged-answer.ts'
import { workloadIdentityAnswer, workloadIdentityJson } from './workload-identity-json.ts'

/** `POST /v1/workloadIdentities/{email}:undelete`; not once its email was given anew. */
export function undeleteWorkloadIdentityRoute(deps: {
  undeleteIdentity: (
    email: string,
    ifMatch: RouteRequest['ifMatch'],
    authorship: Authorship,
  ) => Promise<StoredIdentity>
}): Route {
  return defineRoute({
    method: 'POST',
    path: '/v1/workloadIdentities/{email}:undelete',
    group: 'Workload identities',
    summary: 'Bring a deleted identity back, unless its email was given anew.',
    access: 'administrator',
    query: { reason: reasonParameter },
    answer: workloadIdentityAnswer,
    honoursIfMatch: true,
    async handle({ params: { email = '' }, query, ifMatch, note }) {
      note({ identity: email })
      const identity = await deps.undeleteIdentity(email, ifMatch, authorshipOf(query))
      return taggedAnswer(workloadIdentityJson(identity))
    },
  })
}
