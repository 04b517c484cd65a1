import type { Project } from '../access/project.ts'
import type { ProjectStore } from '../access/project-store.ts'
import { RequestError } from '../errors.ts'
import { projectAnswer, projectJson } from './project-json.ts'
import { defineRoute, type Route } from './route.ts'
import { taggedAnswer } from './tagged-answer.ts'

/** `GET /v1/projects/{project}`; a deleted one is answered too, with its state. */
export function getProjectRoute(deps: { projects: Pick<ProjectStore, 'get'> }): Route {
  return defineRoute({
    method: 'GET',
    path: '/v1/projects/{project}',
    group: 'Projects',
    summary: 'Get a project; a deleted one is answered too, with its state.',
    access: 'claimgate.projects.get',
    query: {},
    answer: projectAnswer,
    async handle({ params: { project = '' } }) {
      return taggedAnswer(projectJson(await existingProject(deps.projects, project)))
    },
  })
}

/** The project of this id; throws `not_found` where there never was one. */
export async function existingProject(projects: Pick<ProjectStore, 'get'>, id: string): Promise<Project> {
  const project = await projects.get(id)
  if (project === undefined) throw new RequestError('not_found', 'There is no such project.')
  return project
}
