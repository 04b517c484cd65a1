import type { BindingStore } from '../access/binding-store.ts'
import { RequestError } from '../errors.ts'
import { iamPolicyAnswer, iamPolicyJson } from './iam-policy-json.ts'
import { defineRoute, type Route } from './route.ts'
import { taggedAnswer } from './tagged-answer.ts'

/** `GET /v1/projects/{project}:getIamPolicy`: who has which role in a project. */
export function getIamPolicyRoute(deps: { bindings: BindingStore }): Route {
  return defineRoute({
    method: 'GET',
    path: '/v1/projects/{project}:getIamPolicy',
    group: 'Projects',
    summary: 'Get who has which role in a project.',
    operationId: 'getProjectIamPolicy',
    access: 'claimgate.projects.get',
    query: {},
    answer: iamPolicyAnswer,
    async handle({ params: { project = '' } }) {
      const policy = await deps.bindings.get(project)
      if (policy === undefined) throw new RequestError('not_found', 'There is no such project.')
      return taggedAnswer(iamPolicyJson(policy))
    },
  })
}
