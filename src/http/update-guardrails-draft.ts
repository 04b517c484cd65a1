import type { ZodType } from 'zod'
import type { Authorship } from '../fields/authorship.ts'
import type { SavedGuardrailsDraft } from '../guardrails/draft-guardrails.ts'
import { authorshipOf } from './authorship.ts'
import { guardrailsDraftAnswer, guardrailsDraftJson } from './guardrails-json.ts'
import { defineRoute, LARGE_BODY, type Route, type RouteRequest } from './route.ts'
import { POLICY_REFUSAL } from './save-refusals.ts'
import { taggedAnswer } from './tagged-answer.ts'

/** `PUT /v1/guardrails/draft`: guardrails as `PUT /v1/guardrails` has them, compiled but not made. */
export function updateGuardrailsDraftRoute<Body>(deps: {
  guardrailsBody: ZodType<Body>
  draftGuardrails: (
    body: Body,
    ifMatch: RouteRequest['ifMatch'],
    authorship: Authorship,
  ) => Promise<SavedGuardrailsDraft>
}): Route {
  return defineRoute({
    method: 'PUT',
    path: '/v1/guardrails/draft',
    group: 'Guardrails',
    summary: 'Draft guardrails, in the place of the draft that there may be. They decide nothing.',
    access: 'claimgate.guardrails.update',
    query: {},
    body: { schema: deps.guardrailsBody, limit: LARGE_BODY },
    answer: guardrailsDraftAnswer,
    refusals: { invalid_argument: POLICY_REFUSAL },
    honoursIfMatch: true,
    async handle({ body, ifMatch, ...by }) {
      const authorship = authorshipOf(by, {})
      const { draft, notices } = await deps.draftGuardrails(body, ifMatch, authorship)
      return taggedAnswer(guardrailsDraftJson(draft, notices))
    },
  })
}
