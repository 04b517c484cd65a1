import type { ZodType } from 'zod'
import type { Project } from '../access/project.ts'
import type { Authorship } from '../fields/authorship.ts'
import type { MaskFields, Update } from '../fields/field-mask.ts'
import { authorshipOf, reasonParameter } from './authorship.ts'
import { projectAnswer, projectJson } from './project-json.ts'
import { defineRoute, type Route, SMALL_BODY } from './route.ts'
import { taggedAnswer } from './tagged-answer.ts'
import { updateMaskParameter } from './update-mask.ts'

/** `PATCH /v1/projects/{project}?updateMask=title`: its title is all that can be changed. */
export function updateProjectRoute<Body>(deps: {
  projectPatch: ZodType<Body>
  projectFields: MaskFields
  updateProject: (id: string, update: Update<Body>, authorship: Authorship) => Promise<Project>
}): Route {
  return defineRoute({
    method: 'PATCH',
    path: '/v1/projects/{project}',
    group: 'Projects',
    summary: "Change a project's title.",
    access: 'claimgate.projects.update',
    query: { updateMask: updateMaskParameter(deps.projectFields), reason: reasonParameter },
    body: { schema: deps.projectPatch.meta({ examples: [{ title: 'Payments' }] }), limit: SMALL_BODY },
    answer: projectAnswer,
    honoursIfMatch: true,
    async handle({ params: { project = '' }, query, body, ifMatch, ...by }) {
      const update = { body, mask: query.updateMask, ifMatch }
      return taggedAnswer(projectJson(await deps.updateProject(project, update, authorshipOf(by, query))))
    },
  })
}
