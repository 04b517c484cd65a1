import type { AdminTokenStore } from '../access/admin-token-store.ts'
import { RequestError } from '../errors.ts'
import { adminTokenAnswer, adminTokenJson } from './admin-token-json.ts'
import { defineRoute, type Route } from './route.ts'
import { taggedAnswer } from './tagged-answer.ts'

/** `GET /v1/adminTokens/{id}`. */
export function getAdminTokenRoute(deps: { adminTokens: Pick<AdminTokenStore, 'get'> }): Route {
  return defineRoute({
    method: 'GET',
    path: '/v1/adminTokens/{id}',
    group: 'Administration',
    summary: "Get an administrator's token, without its secret.",
    access: 'claimgate.adminTokens.get',
    query: {},
    answer: adminTokenAnswer,
    async handle({ params: { id = '' } }) {
      const adminToken = await deps.adminTokens.get(id)
      if (adminToken === undefined) throw new RequestError('not_found', 'There is no such admin token.')
      return taggedAnswer(adminTokenJson(adminToken))
    },
  })
}
