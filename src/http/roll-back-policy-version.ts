import type { Caller } from '../access/caller.ts'
import type { Authorship } from '../fields/authorship.ts'
import type { SavedIdentity } from '../identity/create-workload-identity.ts'
import { authorshipOf, reasonParameter } from './authorship.ts'
import { acknowledge } from './finding-json.ts'
import { readVersionNumber } from './policy-version-json.ts'
import { defineRoute, type Route, type RouteRequest } from './route.ts'
import { SAVE_REFUSALS } from './save-refusals.ts'
import { taggedAnswer } from './tagged-answer.ts'
import { workloadIdentityAnswer, workloadIdentityJson } from './workload-identity-json.ts'

/** `POST …/policyVersions/{version}:rollback`: a save like any other, of what was saved then; the state stays. */
export function rollBackPolicyVersionRoute(deps: {
  rollBackWorkloadIdentity: (
    caller: Caller,
    email: string,
    version: number,
    ifMatch: RouteRequest['ifMatch'],
    authorship: Authorship,
  ) => Promise<SavedIdentity>
}): Route {
  return defineRoute({
    method: 'POST',
    path: '/v1/workloadIdentities/{email}/policyVersions/{version}:rollback',
    group: 'Workload identities',
    summary: 'Make of an identity again what it was in a version; its state stays as it is.',
    access: 'claimgate.workloadIdentities.update',
    query: { reason: reasonParameter, acknowledge },
    refusals: SAVE_REFUSALS,
    answer: workloadIdentityAnswer,
    honoursIfMatch: true,
    async handle({ params: { email = '', version = '' }, query, ifMatch, note, ...by }) {
      note({ identity: email })
      const number = readVersionNumber(version) ?? 0
      const saved = await deps.rollBackWorkloadIdentity(
        by.caller,
        email,
        number,
        ifMatch,
        authorshipOf(by, query),
      )
      return taggedAnswer(workloadIdentityJson(saved.identity, saved))
    },
  })
}
