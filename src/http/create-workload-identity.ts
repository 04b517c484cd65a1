import { type ZodType, z } from 'zod'
import { invalidArgument } from '../errors.ts'
import type { CreatedIdentity } from '../identity/create-workload-identity.ts'
import { defineRoute, LARGE_BODY, type Route } from './route.ts'
import { workloadIdentityAnswer, workloadIdentityJson } from './workload-identity-json.ts'

/** `POST /v1/workspaces/default/workloadIdentities?workloadIdentityId=ID`. */
export function createWorkloadIdentityRoute(deps: {
  workloadIdentityBody: ZodType
  createWorkloadIdentity: (id: string, body: unknown) => Promise<CreatedIdentity>
}): Route {
  return defineRoute({
    method: 'POST',
    path: '/v1/workspaces/default/workloadIdentities',
    group: 'Workload identities',
    summary: 'Create an identity with its rules, which become its policy.',
    access: 'administrator',
    query: {
      workloadIdentityId: z.string().meta({ description: 'Required: the part of its email before @.' }),
    },
    body: { schema: deps.workloadIdentityBody, limit: LARGE_BODY, isReadByHandler: true },
    answer: workloadIdentityAnswer,
    async handle({ query, body, note }) {
      const id = query.workloadIdentityId
      if (!id)
        throw invalidArgument('The parameter workloadIdentityId is required: the part of the email before @.')
      const { identity, notices } = await deps.createWorkloadIdentity(id, body)
      note({ identity: identity.email })
      return { body: workloadIdentityJson(identity, notices) }
    },
  })
}

/** `POST` and `GET /v1/projects/{project}/workloadIdentities` are known paths whose time has not come. */
export function projectWorkloadIdentitiesRoutes(): readonly Route[] {
  return (['POST', 'GET'] as const).map((method) =>
    defineRoute({
      method,
      path: '/v1/projects/{project}/workloadIdentities',
      group: 'Workload identities',
      summary: 'Not supported yet.',
      access: 'administrator',
      query: 'ignored',
      answer: z.never(),
      handle() {
        throw invalidArgument('projects/{project} is not supported as a parent yet: use workspaces/default.')
      },
    }),
  )
}
