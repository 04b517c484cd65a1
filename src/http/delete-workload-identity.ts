import { z } from 'zod'
import type { Caller } from '../access/caller.ts'
import { defineRoute, type Route, type RouteRequest } from './route.ts'

/** `DELETE /v1/workloadIdentities/{email}`: at once no exchange and no `users/me` for it any more. */
export function deleteWorkloadIdentityRoute(deps: {
  deleteIdentity: (caller: Caller, email: string, ifMatch: RouteRequest['ifMatch']) => Promise<void>
}): Route {
  return defineRoute({
    method: 'DELETE',
    path: '/v1/workloadIdentities/{email}',
    group: 'Workload identities',
    summary:
      'Delete an identity: at once nobody exchanges a token for it, and its access tokens are refused here.',
    access: 'claimgate.workloadIdentities.delete',
    query: {},
    answer: z.strictObject({}),
    honoursIfMatch: true,
    async handle({ caller, params: { email = '' }, ifMatch, note }) {
      note({ identity: email })
      await deps.deleteIdentity(caller, email, ifMatch)
      return { body: {} }
    },
  })
}
