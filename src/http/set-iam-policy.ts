import type { ZodType } from 'zod'
import type { Caller } from '../access/caller.ts'
import type { IamPolicy } from '../access/iam-policy.ts'
import type { Authorship } from '../fields/authorship.ts'
import { authorshipOf, reasonParameter } from './authorship.ts'
import { iamPolicyAnswer, iamPolicyJson } from './iam-policy-json.ts'
import { defineRoute, LARGE_BODY, type Route, type RouteRequest } from './route.ts'
import { taggedAnswer } from './tagged-answer.ts'

const EXAMPLE = {
  policy: {
    bindings: [
      {
        role: 'roles/gitopsServiceAgent',
        members: ['workloadIdentity:gitlab-deploy@workload.claimgate.internal#deploy'],
      },
    ],
    etag: '3',
  },
}

/** `POST /v1/projects/{project}:setIamPolicy` `{policy}`: the whole of it, in the place of what was. */
export function setIamPolicyRoute<Body>(deps: {
  iamPolicyBody: ZodType<Body>
  setIamPolicy: (
    caller: Caller,
    project: string,
    body: Body,
    ifMatch: RouteRequest['ifMatch'],
    authorship: Authorship,
  ) => Promise<{ readonly policy: IamPolicy; readonly notices: readonly string[] }>
}): Route {
  return defineRoute({
    method: 'POST',
    path: '/v1/projects/{project}:setIamPolicy',
    group: 'Projects',
    summary: 'Set who has which role in a project: all of it, in the place of what was.',
    operationId: 'setProjectIamPolicy',
    access: 'claimgate.projects.setIamPolicy',
    query: { reason: reasonParameter },
    body: { schema: deps.iamPolicyBody.meta({ examples: [EXAMPLE] }), limit: LARGE_BODY },
    answer: iamPolicyAnswer,
    refusals: { failed_precondition: { description: 'The project is deleted.' } },
    honoursIfMatch: true,
    async handle({ params: { project = '' }, query, body, ifMatch, ...by }) {
      const { policy, notices } = await deps.setIamPolicy(
        by.caller,
        project,
        body,
        ifMatch,
        authorshipOf(by, query),
      )
      return taggedAnswer(iamPolicyJson(policy, notices))
    },
  })
}
