import { invalidArgument } from '../errors.ts'
import type { CreatedIdentity } from '../identity/create-workload-identity.ts'
import { LARGE_BODY, type Route } from './route.ts'
import { workloadIdentityJson } from './workload-identity-json.ts'

/** `POST /v1/workspaces/default/workloadIdentities?workloadIdentityId=ID`. */
export function createWorkloadIdentityRoute(deps: {
  createWorkloadIdentity: (id: string, body: unknown) => Promise<CreatedIdentity>
}): Route {
  return {
    method: 'POST',
    path: '/v1/workspaces/default/workloadIdentities',
    access: 'administrator',
    query: ['workloadIdentityId'],
    bodyLimit: LARGE_BODY,
    async handle({ query, body, note }) {
      const id = query.workloadIdentityId
      if (!id)
        throw invalidArgument('The parameter workloadIdentityId is required: the part of the email before @.')
      const { identity, notices } = await deps.createWorkloadIdentity(id, body)
      note({ identity: identity.email })
      return { body: workloadIdentityJson(identity, notices) }
    },
  }
}

/** `POST` and `GET /v1/projects/{project}/workloadIdentities` are known paths whose time has not come. */
export function projectWorkloadIdentitiesRoutes(): readonly Route[] {
  return (['POST', 'GET'] as const).map((method) => ({
    method,
    path: '/v1/projects/{project}/workloadIdentities',
    access: 'administrator',
    query: 'ignored',
    handle() {
      throw invalidArgument('projects/{project} is not supported as a parent yet: use workspaces/default.')
    },
  }))
}
