import type { Project } from '../access/project.ts'
import type { Authorship } from '../fields/authorship.ts'
import { authorshipOf, reasonParameter } from './authorship.ts'
import { projectAnswer, projectJson } from './project-json.ts'
import { defineRoute, type Route, type RouteRequest } from './route.ts'
import { taggedAnswer } from './tagged-answer.ts'

/** `POST /v1/projects/{project}:undelete`. */
export function undeleteProjectRoute(deps: {
  undeleteProject: (id: string, ifMatch: RouteRequest['ifMatch'], authorship: Authorship) => Promise<Project>
}): Route {
  return defineRoute({
    method: 'POST',
    path: '/v1/projects/{project}:undelete',
    group: 'Projects',
    summary: 'Bring a deleted project back, and its identities with it.',
    access: 'claimgate.projects.undelete',
    query: { reason: reasonParameter },
    answer: projectAnswer,
    honoursIfMatch: true,
    async handle({ params: { project = '' }, query, ifMatch, ...by }) {
      return taggedAnswer(projectJson(await deps.undeleteProject(project, ifMatch, authorshipOf(by, query))))
    },
  })
}
