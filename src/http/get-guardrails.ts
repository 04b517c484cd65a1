import type { GuardrailsStore } from '../guardrails/guardrails-store.ts'
import { guardrailsAnswer, guardrailsJson } from './guardrails-json.ts'
import { defineRoute, type Route } from './route.ts'
import { taggedAnswer } from './tagged-answer.ts'

/** `GET /v1/guardrails`: those that count now; an empty source where there are none. */
export function getGuardrailsRoute(deps: { guardrails: Pick<GuardrailsStore, 'current'> }): Route {
  return defineRoute({
    method: 'GET',
    path: '/v1/guardrails',
    group: 'Guardrails',
    summary: 'Get the guardrails, which every exchange must meet; the source is empty where there are none.',
    access: 'claimgate.guardrails.get',
    query: {},
    answer: guardrailsAnswer,
    async handle() {
      return taggedAnswer(guardrailsJson(await deps.guardrails.current()))
    },
  })
}
