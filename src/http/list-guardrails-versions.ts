import { z } from 'zod'
import type { GuardrailsStore } from '../guardrails/guardrails-store.ts'
import { guardrailsVersionAnswer, guardrailsVersionJson } from './guardrails-json.ts'
import { nextPageToken, pageParameters, readPage } from './page.ts'
import type { PageTokens } from './page-token.ts'
import { defineRoute, type Route } from './route.ts'

/** `GET /v1/guardrails/versions`: newest first. */
export function listGuardrailsVersionsRoute(deps: {
  guardrails: Pick<GuardrailsStore, 'listVersions'>
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
        (before, limit) =>
          deps.guardrails.listVersions({ before: before === undefined ? undefined : Number(before), limit }),
        ({ version }) => String(version),
      )
      return { body: { versions: page.items.map(guardrailsVersionJson), nextPageToken: page.nextPageToken } }
    },
  })
}
