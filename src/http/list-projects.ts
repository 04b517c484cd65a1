import { z } from 'zod'
import type { ProjectStore } from '../access/project-store.ts'
import { filterParameter } from './filter.ts'
import { nextPageToken, pageParameters, readPage, showDeleted } from './page.ts'
import type { PageTokens } from './page-token.ts'
import { projectAnswer, projectJson } from './project-json.ts'
import { defineRoute, type Route } from './route.ts'

/** `GET /v1/projects`: by id. */
export function listProjectsRoute(deps: {
  projects: Pick<ProjectStore, 'list'>
  pageTokens: PageTokens
}): Route {
  return defineRoute({
    method: 'GET',
    path: '/v1/projects',
    group: 'Projects',
    summary: 'List the projects, by id.',
    access: 'claimgate.projects.list',
    query: {
      ...pageParameters,
      showDeleted,
      filter: filterParameter({ name: 'text', title: 'text', state: ['ACTIVE', 'DELETED'] }),
    },
    answer: z.strictObject({ projects: z.array(projectAnswer), nextPageToken }),
    async handle({ query }) {
      const asked = { showDeleted: query.showDeleted ?? false, filter: query.filter ?? [] }
      const page = await readPage(
        deps.pageTokens,
        { list: 'projects', ...asked },
        query,
        (after, limit) => deps.projects.list({ ...asked, after, limit }),
        ({ id }) => id,
      )
      return { body: { projects: page.items.map(projectJson), nextPageToken: page.nextPageToken } }
    },
  })
}
