import { z } from 'zod'
import type { DecisionParameters, readDecisionFilter } from '../decision/decision-filter.ts'
import type { DecisionStore } from '../decision/decision-store.ts'
import { decisionAnswer, decisionJson } from './decision-json.ts'
import { nextPageToken, pageParameters, readPage } from './page.ts'
import type { PageTokens } from './page-token.ts'
import { defineRoute, type Route } from './route.ts'

/** `GET /v1/decisions`: newest first; a page stays right while decisions arrive, as it begins after an id. */
export function listDecisionsRoute(deps: {
  decisionParameters: DecisionParameters
  readDecisionFilter: typeof readDecisionFilter
  decisions: Pick<DecisionStore, 'list'>
  pageTokens: PageTokens
}): Route {
  return defineRoute({
    method: 'GET',
    path: '/v1/decisions',
    group: 'Decisions',
    summary: 'List decisions, newest first.',
    access: 'claimgate.decisions.list',
    query: { ...pageParameters, ...deps.decisionParameters },
    answer: z.strictObject({ decisions: z.array(decisionAnswer), nextPageToken }),
    async handle({ query: { pageSize, pageToken, ...parameters } }) {
      const filter = deps.readDecisionFilter(parameters)
      const page = await readPage(
        deps.pageTokens,
        { list: 'decisions', ...filter },
        { pageSize, pageToken },
        (before, limit) => deps.decisions.list({ ...filter, before, limit }),
        ({ id }) => id,
      )
      return { body: { decisions: page.items.map(decisionJson), nextPageToken: page.nextPageToken } }
    },
  })
}
