import type { Draft } from '../policy/draft-store.ts'
import { draftAnswer, draftJson } from './draft-json.ts'
import { defineRoute, type Route } from './route.ts'
import { taggedAnswer } from './tagged-answer.ts'

/** `GET /v1/workloadIdentities/{email}/draft`. */
export function getDraftRoute(deps: { findDraft: (email: string) => Promise<Draft> }): Route {
  return defineRoute({
    method: 'GET',
    path: '/v1/workloadIdentities/{email}/draft',
    group: 'Workload identities',
    summary: 'Get what is about to be made of an identity.',
    access: 'claimgate.workloadIdentities.get',
    query: {},
    answer: draftAnswer,
    async handle({ params: { email = '' } }) {
      return taggedAnswer(draftJson(email, await deps.findDraft(email)))
    },
  })
}
