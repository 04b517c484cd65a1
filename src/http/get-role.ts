import type { RoleStore } from '../access/role-store.ts'
import { RequestError } from '../errors.ts'
import { roleAnswer, roleJson } from './role-json.ts'
import { defineRoute, type Route } from './route.ts'
import { taggedAnswer } from './tagged-answer.ts'

/** `GET /v1/roles/{id}`. */
export function getRoleRoute(deps: { roles: Pick<RoleStore, 'get'> }): Route {
  return defineRoute({
    method: 'GET',
    path: '/v1/roles/{id}',
    group: 'Roles',
    summary: 'Get a role with its permissions.',
    access: 'claimgate.roles.get',
    query: {},
    answer: roleAnswer,
    async handle({ params: { id = '' } }) {
      const role = await deps.roles.get(id)
      if (role === undefined) throw new RequestError('not_found', 'There is no such role.')
      return taggedAnswer(roleJson(role))
    },
  })
}
