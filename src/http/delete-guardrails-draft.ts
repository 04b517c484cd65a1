import { z } from 'zod'
import type { Authorship } from '../fields/authorship.ts'
import { authorshipOf, reasonParameter } from './authorship.ts'
import { NO_GUARDRAILS_DRAFT } from './guardrails-json.ts'
import { defineRoute, type Route, type RouteRequest } from './route.ts'

/** `DELETE /v1/guardrails/draft`. */
export function deleteGuardrailsDraftRoute(deps: {
  deleteDraft: (ifMatch: RouteRequest['ifMatch'], authorship: Authorship) => Promise<void>
}): Route {
  return defineRoute({
    method: 'DELETE',
    path: '/v1/guardrails/draft',
    group: 'Guardrails',
    summary: 'Throw the draft of the guardrails away.',
    access: 'claimgate.guardrails.update',
    query: { reason: reasonParameter },
    answer: z.strictObject({}),
    refusals: { not_found: NO_GUARDRAILS_DRAFT },
    honoursIfMatch: true,
    async handle({ query, ifMatch, ...by }) {
      await deps.deleteDraft(ifMatch, authorshipOf(by, query))
      return { body: {} }
    },
  })
}
