import { z } from 'zod'
import type { Authorship } from '../fields/authorship.ts'
import { authorshipOf, reasonParameter } from './authorship.ts'
import { defineRoute, type Route, type RouteRequest } from './route.ts'

/** `DELETE /v1/projects/{project}`: at once its identities exchange nothing, and their tokens are refused here. */
export function deleteProjectRoute(deps: {
  deleteProject: (id: string, ifMatch: RouteRequest['ifMatch'], authorship: Authorship) => Promise<void>
}): Route {
  return defineRoute({
    method: 'DELETE',
    path: '/v1/projects/{project}',
    group: 'Projects',
    summary: 'Delete a project: at once nobody exchanges a token for its identities. It can be undeleted.',
    access: 'claimgate.projects.delete',
    query: { reason: reasonParameter },
    answer: z.strictObject({}),
    honoursIfMatch: true,
    async handle({ params: { project = '' }, query, ifMatch, ...by }) {
      await deps.deleteProject(project, ifMatch, authorshipOf(by, query))
      return { body: {} }
    },
  })
}
