import { z } from 'zod'
import type { Caller } from '../access/caller.ts'
import type { Authorship } from '../fields/authorship.ts'
import { authorshipOf, reasonParameter } from './authorship.ts'
import { defineRoute, type Route, type RouteRequest } from './route.ts'

/** `DELETE /v1/roles/{id}`: for good, and only where nobody is given it. */
export function deleteRoleRoute(deps: {
  deleteRole: (
    caller: Caller,
    id: string,
    ifMatch: RouteRequest['ifMatch'],
    authorship: Authorship,
  ) => Promise<void>
}): Route {
  return defineRoute({
    method: 'DELETE',
    path: '/v1/roles/{id}',
    group: 'Roles',
    summary: 'Delete a role that is given to nobody, for good; not a built-in one.',
    access: 'claimgate.roles.delete',
    query: { reason: reasonParameter },
    answer: z.strictObject({}),
    refusals: {
      failed_precondition: { description: 'The role is built in, or in use; the message says where.' },
    },
    honoursIfMatch: true,
    async handle({ params: { id = '' }, query, ifMatch, ...by }) {
      await deps.deleteRole(by.caller, id, ifMatch, authorshipOf(by, query))
      return { body: {} }
    },
  })
}
