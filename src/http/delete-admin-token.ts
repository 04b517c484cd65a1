import { z } from 'zod'
import type { Caller } from '../access/caller.ts'
import type { Authorship } from '../fields/authorship.ts'
import { authorshipOf, reasonParameter } from './authorship.ts'
import { defineRoute, type Route, type RouteRequest } from './route.ts'

/** `DELETE /v1/adminTokens/{id}`: at once it is nobody's; it cannot be brought back. */
export function deleteAdminTokenRoute(deps: {
  deleteAdminToken: (
    caller: Caller,
    id: string,
    ifMatch: RouteRequest['ifMatch'],
    authorship: Authorship,
  ) => Promise<void>
}): Route {
  return defineRoute({
    method: 'DELETE',
    path: '/v1/adminTokens/{id}',
    group: 'Administration',
    summary: "Delete an administrator's token: at once it is refused. Its id is not given again.",
    access: 'claimgate.adminTokens.delete',
    query: { reason: reasonParameter },
    answer: z.strictObject({}),
    honoursIfMatch: true,
    async handle({ params: { id = '' }, query, ifMatch, ...by }) {
      await deps.deleteAdminToken(by.caller, id, ifMatch, authorshipOf(by, query))
      return { body: {} }
    },
  })
}
