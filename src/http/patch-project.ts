import type { ZodType } from 'zod'
import type { Project } from '../access/project.ts'
import { invalidArgument } from '../errors.ts'
import { projectAnswer, projectJson } from './project-json.ts'
import { defineRoute, type Route, type RouteRequest, SMALL_BODY } from './route.ts'
import { taggedAnswer } from './tagged-answer.ts'
import { type MaskFields, updateMaskParameter } from './update-mask.ts'

/** `PATCH /v1/projects/{project}?updateMask=title`: its title is all that can be changed. */
export function patchProjectRoute<Body extends { title?: string | undefined }>(deps: {
  projectBody: ZodType<Body>
  projectFields: MaskFields
  changeProject: (id: string, body: Body, ifMatch: RouteRequest['ifMatch']) => Promise<Project>
}): Route {
  return defineRoute({
    method: 'PATCH',
    path: '/v1/projects/{project}',
    group: 'Projects',
    summary: "Change a project's title.",
    access: 'administrator',
    query: { updateMask: updateMaskParameter(deps.projectFields) },
    body: { schema: deps.projectBody, limit: SMALL_BODY },
    answer: projectAnswer,
    honoursIfMatch: true,
    async handle({ params: { project = '' }, query, body, ifMatch }) {
      if (query.updateMask === undefined && body.title === undefined) {
        throw invalidArgument('The body has no field that can be changed: that is title.')
      }
      return taggedAnswer(projectJson(await deps.changeProject(project, body, ifMatch)))
    },
  })
}
