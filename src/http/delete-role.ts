import { z } from 'zod'
import type { Caller } from '../access/caller.ts'
import { defineRoute, type Route, type RouteRequest } from './route.ts'

/** `DELETE /v1/roles/{id}`: for good, and only where nobody is given it. */
export function deleteRoleRoute(deps: {
  deleteRole: (caller: Caller, id: string, ifMatch: RouteRequest['ifMatch']) => Promise<void>
}): Route {
  return defineRoute({
    method: 'DELETE',
    path: '/v1/roles/{id}',
    group: 'Roles',
    summary: 'Delete a role that is given to nobody, for good; not a built-in one.',
    access: 'claimgate.roles.delete',
    query: {},
    answer: z.strictObject({}),
    refusals: {
      failed_precondition: { description: 'The role is built in, or in use; the message says where.' },
    },
    honoursIfMatch: true,
    async handle({ caller, params: { id = '' }, ifMatch }) {
      await deps.deleteRole(caller, id, ifMatch)
      return { body: {} }
    },
  })
}
