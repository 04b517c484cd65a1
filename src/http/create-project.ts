import { type ZodType, z } from 'zod'
import type { Project } from '../access/project.ts'
import { invalidArgument } from '../errors.ts'
import type { Authorship } from '../fields/authorship.ts'
import { authorshipOf, reasonParameter } from './authorship.ts'
import { projectAnswer, projectJson } from './project-json.ts'
import { defineRoute, type Route, SMALL_BODY } from './route.ts'
import { taggedAnswer } from './tagged-answer.ts'

/** `POST /v1/projects?projectId=ID`. */
export function createProjectRoute<Body>(deps: {
  projectBody: ZodType<Body>
  createProject: (id: string, body: Body, authorship: Authorship) => Promise<Project>
}): Route {
  return defineRoute({
    method: 'POST',
    path: '/v1/projects',
    group: 'Projects',
    summary: 'Create a project, which can have identities of its own.',
    access: 'claimgate.projects.create',
    query: {
      projectId: z.string().meta({ description: 'Required: the last part of its name.' }),
      reason: reasonParameter,
    },
    body: { schema: deps.projectBody.meta({ examples: [{ title: 'Payments' }] }), limit: SMALL_BODY },
    answer: projectAnswer,
    async handle({ query, body, ...by }) {
      if (!query.projectId) throw invalidArgument('The parameter projectId is required.')
      return taggedAnswer(
        projectJson(await deps.createProject(query.projectId, body, authorshipOf(by, query))),
      )
    },
  })
}
