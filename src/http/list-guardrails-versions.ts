import { z } from 'zod'
import type { PolicyVersionStore } from '../policy/policy-version-store.ts'
import { guardrailsVersionAnswer, guardrailsVersionJson } from './guardrails-json.ts'
import { nextPageToken, pageParameters, readPage } from './page.ts'
import type { PageTokens } from './page-token.ts'
import { defineRoute, type Route } from './route.ts'

/** `GET /v1/guardrails/versions`: newest first. */
export function listGuardrailsVersionsRoute(deps: {
  subject: string
  policyVersions: Pick<PolicyVersionStore, 'list'>
  pageTokens: PageTokens
}): Route {
  return defineRoute({
    method: 'GET',
    path: '/v1/guardrails/versions',
    group: 'Guardrails',
    summary: 'List all that the guardrails ever were, newest first.',
    access: 'claimgate.guardrails.list',
    query: pageParameters,
    answer: z.strictObject({ versions: z.array(guardrailsVersionAnswer), nextPageToken }),
    async handle({ query }) {
      const page = await readPage(
        deps.pageTokens,
        { list: 'guardrails/versions' },
        query,
        (after, limit) =>
          deps.policyVersions.list(deps.subject, {
            before: after === undefined ? undefined : Number(after),
            limit,
          }),
        ({ number }) => String(number),
      )
      return { body: { versions: page.items.map(guardrailsVersionJson), nextPageToken: page.nextPageToken } }
    },
  })
}
