import type { Authorship } from '../fields/authorship.ts'
import { authorshipOf, reasonParameter } from './authorship.ts'
import {
  SAVE_GUARDRAILS_WITHIN_MS,
  type SavedGuardrails,
  savedGuardrailsAnswer,
  savedGuardrailsJson,
} from './guardrails-json.ts'
import { readVersionNumber } from './policy-version-json.ts'
import { defineRoute, type Route, type RouteRequest } from './route.ts'
import { POLICY_REFUSAL } from './save-refusals.ts'
import { taggedAnswer } from './tagged-answer.ts'

/** `POST /v1/guardrails/versions/{version}:rollback`: a save like any other, of what was saved then. */
export function rollBackGuardrailsRoute(deps: {
  rollBackGuardrails: (
    version: number,
    ifMatch: RouteRequest['ifMatch'],
    authorship: Authorship,
  ) => Promise<SavedGuardrails>
}): Route {
  return defineRoute({
    method: 'POST',
    path: '/v1/guardrails/versions/{version}:rollback',
    group: 'Guardrails',
    summary: 'Make of the guardrails again what they were in a version, for every exchange from the next on.',
    access: 'claimgate.guardrails.update',
    query: { reason: reasonParameter },
    answer: savedGuardrailsAnswer,
    answerWithinMs: SAVE_GUARDRAILS_WITHIN_MS,
    refusals: { invalid_argument: POLICY_REFUSAL },
    honoursIfMatch: true,
    async handle({ params: { version = '' }, query, ifMatch, ...by }) {
      const number = readVersionNumber(version) ?? 0
      return taggedAnswer(
        savedGuardrailsJson(await deps.rollBackGuardrails(number, ifMatch, authorshipOf(by, query))),
      )
    },
  })
}
