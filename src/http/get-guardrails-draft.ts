import type { Draft } from '../policy/draft-store.ts'
import { guardrailsDraftAnswer, guardrailsDraftJson, NO_GUARDRAILS_DRAFT } from './guardrails-json.ts'
import { defineRoute, type Route } from './route.ts'
import { taggedAnswer } from './tagged-answer.ts'

/** `GET /v1/guardrails/draft`. */
export function getGuardrailsDraftRoute(deps: { findDraft: () => Promise<Draft> }): Route {
  return defineRoute({
    method: 'GET',
    path: '/v1/guardrails/draft',
    group: 'Guardrails',
    summary: 'Get what is about to be made of the guardrails.',
    access: 'claimgate.guardrails.get',
    query: {},
    answer: guardrailsDraftAnswer,
    refusals: { not_found: NO_GUARDRAILS_DRAFT },
    async handle() {
      return taggedAnswer(guardrailsDraftJson(await deps.findDraft()))
    },
  })
}
