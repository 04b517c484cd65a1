import { validate } from 'uuid'
import type { DecisionStore } from '../decision/decision-store.ts'
import { RequestError } from '../errors.ts'
import { decisionAnswer, decisionJson } from './decision-json.ts'
import { defineRoute, type Route } from './route.ts'

/** `GET /v1/decisions/{id}`: one decision with everything that was recorded of it. */
export function getDecisionRoute(deps: { decisions: Pick<DecisionStore, 'get'> }): Route {
  return defineRoute({
    method: 'GET',
    path: '/v1/decisions/{id}',
    group: 'Decisions',
    summary: 'Get one decision with everything that was recorded of it.',
    access: 'claimgate.decisions.get',
    query: {},
    answer: decisionAnswer,
    async handle({ params: { id = '' } }) {
      const decision = validate(id) ? await deps.decisions.get(id.toLowerCase()) : undefined
      if (decision === undefined) throw new RequestError('not_found', 'There is no such decision.')
      return { body: decisionJson(decision) }
    },
  })
}
