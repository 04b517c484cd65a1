import { z } from 'zod'
import type { DecisionStore } from '../decision/decision-store.ts'
import { decisionAnswer, decisionJson, OUTCOMES } from './decision-json.ts'
import { nextPageToken, pageParameters, readPage } from './page.ts'
import type { PageTokens } from './page-token.ts'
import { defineRoute, type Route } from './route.ts'

/** `GET /v1/decisions`: newest first; a page stays right while decisions arrive, as it begins after an id. */
export function listDecisionsRoute(deps: {
  decisions: Pick<DecisionStore, 'list'>
  pageTokens: PageTokens
}): Route {
  return defineRoute({
    method: 'GET',
    path: '/v1/decisions',
    group: 'Decisions',
    summary: 'List decisions, newest first.',
    access: 'administrator',
    query: {
      ...pageParameters,
      identity: z.string().meta({ description: 'The email that was asked for.' }),
      outcome: z.enum(OUTCOMES),
    },
    answer: z.strictObject({ decisions: z.array(decisionAnswer), nextPageToken }),
    async handle({ query }) {
      const { identity, outcome } = query
      const page = await readPage(
        deps.pageTokens,
        { list: 'decisions', identity, outcome },
        query,
        (before, limit) => deps.decisions.list({ identity, outcome, before, limit }),
        ({ id }) => id,
      )
      return { body: { decisions: page.items.map(decisionJson), nextPageToken: page.nextPageToken } }
    },
  })
}
