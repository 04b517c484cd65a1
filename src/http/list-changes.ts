import { z } from 'zod'
import type { ChangeParameters, readChangeFilter } from '../change/change-filter.ts'
import type { ChangeStore } from '../change/change-store.ts'
import { changeAnswer, changeJson } from './change-json.ts'
import { nextPageToken, pageParameters, readPage } from './page.ts'
import type { PageTokens } from './page-token.ts'
import { defineRoute, type Route } from './route.ts'

/** `GET /v1/changes`: newest first; a page begins after an id, as those of decisions do. */
export function listChangesRoute(deps: {
  changeParameters: ChangeParameters
  readChangeFilter: typeof readChangeFilter
  changes: Pick<ChangeStore, 'list'>
  pageTokens: PageTokens
}): Route {
  return defineRoute({
    method: 'GET',
    path: '/v1/changes',
    group: 'Administration',
    summary: 'List changes, newest first: who changed what, and who was refused to.',
    access: 'claimgate.changes.list',
    query: { ...pageParameters, ...deps.changeParameters },
    answer: z.strictObject({ changes: z.array(changeAnswer), nextPageToken }),
    async handle({ query: { pageSize, pageToken, ...parameters } }) {
      const filter = deps.readChangeFilter(parameters)
      const page = await readPage(
        deps.pageTokens,
        { list: 'changes', ...filter },
        { pageSize, pageToken },
        (before, limit) => deps.changes.list({ ...filter, before, limit }),
        ({ id }) => id,
      )
      return { body: { changes: page.items.map(changeJson), nextPageToken: page.nextPageToken } }
    },
  })
}
