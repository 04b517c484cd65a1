import { z } from 'zod'
import { NO_GUARDRAILS_DRAFT } from './guardrails-json.ts'
import { defineRoute, type Route, type RouteRequest } from './route.ts'

/** `DELETE /v1/guardrails/draft`. */
export function deleteGuardrailsDraftRoute(deps: {
  deleteDraft: (ifMatch: RouteRequest['ifMatch']) => Promise<void>
}): Route {
  return defineRoute({
    method: 'DELETE',
    path: '/v1/guardrails/draft',
    group: 'Guardrails',
    summary: 'Throw the draft of the guardrails away.',
    access: 'claimgate.guardrails.update',
    query: {},
    answer: z.strictObject({}),
    refusals: { not_found: NO_GUARDRAILS_DRAFT },
    honoursIfMatch: true,
    async handle({ ifMatch }) {
      await deps.deleteDraft(ifMatch)
      return { body: {} }
    },
  })
}
