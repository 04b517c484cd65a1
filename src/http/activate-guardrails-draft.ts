import { z } from 'zod'
import type { Authorship } from '../fields/authorship.ts'
import { authorshipOf, reasonParameter } from './authorship.ts'
import {
  NO_GUARDRAILS_DRAFT,
  SAVE_GUARDRAILS_WITHIN_MS,
  type SavedGuardrails,
  savedGuardrailsAnswer,
  savedGuardrailsJson,
} from './guardrails-json.ts'
import { defineRoute, type Route, type RouteRequest, SMALL_BODY } from './route.ts'
import { POLICY_REFUSAL } from './save-refusals.ts'
import { taggedAnswer } from './tagged-answer.ts'

/** `POST /v1/guardrails/draft:activate` `{impact}`: a save like any other, by whoever has seen what it does. */
export function activateGuardrailsDraftRoute(deps: {
  activateDraft: (
    impact: string,
    ifMatch: RouteRequest['ifMatch'],
    authorship: Authorship,
  ) => Promise<SavedGuardrails>
}): Route {
  return defineRoute({
    method: 'POST',
    path: '/v1/guardrails/draft:activate',
    group: 'Guardrails',
    summary: 'Make of the guardrails what their draft says, once its impact was looked at.',
    access: 'claimgate.guardrails.update',
    query: { reason: reasonParameter },
    refusals: {
      invalid_argument: POLICY_REFUSAL,
      not_found: NO_GUARDRAILS_DRAFT,
      failed_precondition: { description: 'Its impact was not looked at yet.' },
    },
    body: {
      schema: z.strictObject({
        impact: z.string().meta({ description: 'The id of the last impact of this draft.' }),
      }),
      limit: SMALL_BODY,
    },
    answer: savedGuardrailsAnswer,
    answerWithinMs: SAVE_GUARDRAILS_WITHIN_MS,
    honoursIfMatch: true,
    async handle({ query, body, ifMatch, ...by }) {
      const saved = await deps.activateDraft(body.impact, ifMatch, authorshipOf(by, query))
      return taggedAnswer(savedGuardrailsJson(saved))
    },
  })
}
