import type { ZodType } from 'zod'
import type { Authorship } from '../fields/authorship.ts'
import { authorshipOf, reasonParameter } from './authorship.ts'
import {
  SAVE_GUARDRAILS_WITHIN_MS,
  type SavedGuardrails,
  savedGuardrailsAnswer,
  savedGuardrailsJson,
} from './guardrails-json.ts'
import { defineRoute, LARGE_BODY, type Route, type RouteRequest } from './route.ts'
import { POLICY_REFUSAL } from './save-refusals.ts'
import { taggedAnswer } from './tagged-answer.ts'

/** `PUT /v1/guardrails`: they hold for the next exchange, on every instance. */
export function updateGuardrailsRoute<Body>(deps: {
  guardrailsBody: ZodType<Body>
  saveGuardrails: (
    body: Body,
    ifMatch: RouteRequest['ifMatch'],
    authorship: Authorship,
  ) => Promise<SavedGuardrails>
}): Route {
  return defineRoute({
    method: 'PUT',
    path: '/v1/guardrails',
    group: 'Guardrails',
    summary: 'Set the guardrails for every exchange from the next on; an empty source removes them.',
    access: 'claimgate.guardrails.update',
    query: { reason: reasonParameter },
    body: { schema: deps.guardrailsBody, limit: LARGE_BODY },
    answer: savedGuardrailsAnswer,
    answerWithinMs: SAVE_GUARDRAILS_WITHIN_MS,
    refusals: { invalid_argument: POLICY_REFUSAL },
    honoursIfMatch: true,
    async handle({ query, body, ifMatch, ...by }) {
      return taggedAnswer(
        savedGuardrailsJson(await deps.saveGuardrails(body, ifMatch, authorshipOf(by, query))),
      )
    },
  })
}
