import type { ZodType } from 'zod'
import type { Caller } from '../access/caller.ts'
import type { Guardrails } from '../guardrails/guardrails.ts'
import { guardrailsAnswer, guardrailsJson } from './guardrails-json.ts'
import { defineRoute, LARGE_BODY, type Route } from './route.ts'
import { POLICY_REFUSAL } from './save-refusals.ts'
import { taggedAnswer } from './tagged-answer.ts'

/** `PUT /v1/guardrails`: they hold for the next exchange, on every instance. */
export function updateGuardrailsRoute<Body>(deps: {
  guardrailsBody: ZodType<Body>
  saveGuardrails: (caller: Caller, body: Body, ifMatch: readonly string[] | undefined) => Promise<Guardrails>
}): Route {
  return defineRoute({
    method: 'PUT',
    path: '/v1/guardrails',
    group: 'Guardrails',
    summary: 'Set the guardrails for every exchange from the next on; an empty source removes them.',
    access: 'claimgate.guardrails.update',
    query: {},
    body: { schema: deps.guardrailsBody, limit: LARGE_BODY },
    answer: guardrailsAnswer,
    refusals: { invalid_argument: POLICY_REFUSAL },
    honoursIfMatch: true,
    async handle({ caller, body, ifMatch }) {
      return taggedAnswer(guardrailsJson(await deps.saveGuardrails(caller, body, ifMatch)))
    },
  })
}
