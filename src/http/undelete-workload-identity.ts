import type { Caller } from '../access/caller.ts'
import type { StoredIdentity } from '../identity/identity-store.ts'
import { defineRoute, type Route, type RouteRequest } from './route.ts'
import { taggedAnswer } from './tagged-answer.ts'
import { workloadIdentityAnswer, workloadIdentityJson } from './workload-identity-json.ts'

/** `POST /v1/workloadIdentities/{email}:undelete`; not once its email was given anew. */
export function undeleteWorkloadIdentityRoute(deps: {
  undeleteIdentity: (
    caller: Caller,
    email: string,
    ifMatch: RouteRequest['ifMatch'],
  ) => Promise<StoredIdentity>
}): Route {
  return defineRoute({
    method: 'POST',
    path: '/v1/workloadIdentities/{email}:undelete',
    group: 'Workload identities',
    summary: 'Bring a deleted identity back, unless its email was given anew.',
    access: 'claimgate.workloadIdentities.undelete',
    query: {},
    answer: workloadIdentityAnswer,
    honoursIfMatch: true,
    async handle({ caller, params: { email = '' }, ifMatch, note }) {
      note({ identity: email })
      return taggedAnswer(workloadIdentityJson(await deps.undeleteIdentity(caller, email, ifMatch)))
    },
  })
}
