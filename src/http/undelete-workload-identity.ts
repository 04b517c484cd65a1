import type { Caller } from '../access/caller.ts'
import type { Authorship } from '../fields/authorship.ts'
import type { SavedIdentity } from '../identity/create-workload-identity.ts'
import { authorshipOf, reasonParameter } from './authorship.ts'
import { acknowledge } from './finding-json.ts'
import { defineRoute, type Route, type RouteRequest } from './route.ts'
import { UNDELETE_REFUSALS } from './save-refusals.ts'
import { taggedAnswer } from './tagged-answer.ts'
import { workloadIdentityAnswer, workloadIdentityJson } from './workload-identity-json.ts'

/** `POST /v1/workloadIdentities/{email}:undelete`; not once its email was given anew. */
export function undeleteWorkloadIdentityRoute(deps: {
  undeleteIdentity: (
    caller: Caller,
    email: string,
    ifMatch: RouteRequest['ifMatch'],
    authorship: Authorship,
  ) => Promise<SavedIdentity>
}): Route {
  return defineRoute({
    method: 'POST',
    path: '/v1/workloadIdentities/{email}:undelete',
    group: 'Workload identities',
    summary: 'Bring a deleted identity back, unless its email was given anew.',
    access: 'claimgate.workloadIdentities.undelete',
    query: { reason: reasonParameter, acknowledge },
    answer: workloadIdentityAnswer,
    refusals: UNDELETE_REFUSALS,
    honoursIfMatch: true,
    async handle({ params: { email = '' }, query, ifMatch, note, ...by }) {
      note({ identity: email })
      const saved = await deps.undeleteIdentity(by.caller, email, ifMatch, authorshipOf(by, query))
      return taggedAnswer(workloadIdentityJson(saved.identity, saved))
    },
  })
}
