import type { Project } from '../access/project.ts'
import { projectAnswer, projectJson } from './project-json.ts'
import { defineRoute, type Route, type RouteRequest } from './route.ts'
import { taggedAnswer } from './tagged-answer.ts'

/** `POST /v1/projects/{project}:undelete`. */
export function undeleteProjectRoute(deps: {
  undeleteProject: (id: string, ifMatch: RouteRequest['ifMatch']) => Promise<Project>
}): Route {
  return defineRoute({
    method: 'POST',
    path: '/v1/projects/{project}:undelete',
    group: 'Projects',
    summary: 'Bring a deleted project back, and its identities with it.',
    access: 'claimgate.projects.undelete',
    query: {},
    answer: projectAnswer,
    honoursIfMatch: true,
    async handle({ params: { project = '' }, ifMatch }) {
      return taggedAnswer(projectJson(await deps.undeleteProject(project, ifMatch)))
    },
  })
}
