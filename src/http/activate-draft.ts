import { z } from 'zod'
import type { Caller } from '../access/caller.ts'
import type { Authorship } from '../fields/authorship.ts'
import type { SavedIdentity } from '../identity/create-workload-identity.ts'
import { authorshipOf, reasonParameter } from './authorship.ts'
import { acknowledge } from './finding-json.ts'
import { defineRoute, type Route, type RouteRequest, SMALL_BODY } from './route.ts'
import { SAVE_REFUSALS } from './save-refusals.ts'
import { taggedAnswer } from './tagged-answer.ts'
import { workloadIdentityAnswer, workloadIdentityJson } from './workload-identity-json.ts'

/** `POST …/draft:activate` `{impact}`: a save like any other, by whoever has seen what it does. */
export function activateDraftRoute(deps: {
  activateDraft: (
    caller: Caller,
    email: string,
    impact: string,
    ifMatch: RouteRequest['ifMatch'],
    authorship: Authorship,
  ) => Promise<SavedIdentity>
}): Route {
  return defineRoute({
    method: 'POST',
    path: '/v1/workloadIdentities/{email}/draft:activate',
    group: 'Workload identities',
    summary: 'Make of an identity what its draft says, once its impact was looked at.',
    access: 'claimgate.workloadIdentities.update',
    query: { reason: reasonParameter, acknowledge },
    refusals: SAVE_REFUSALS,
    body: {
      schema: z.strictObject({
        impact: z.string().meta({ description: 'The id of the last impact of this draft.' }),
      }),
      limit: SMALL_BODY,
    },
    answer: workloadIdentityAnswer,
    honoursIfMatch: true,
    async handle({ params: { email = '' }, query, body, ifMatch, note, ...by }) {
      note({ identity: email })
      const saved = await deps.activateDraft(by.caller, email, body.impact, ifMatch, authorshipOf(by, query))
      return taggedAnswer(workloadIdentityJson(saved.identity, saved))
    },
  })
}
