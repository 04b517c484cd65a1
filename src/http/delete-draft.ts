import { z } from 'zod'
import { defineRoute, type Route, type RouteRequest } from './route.ts'

/** `DELETE /v1/workloadIdentities/{email}/draft`. */
export function deleteDraftRoute(deps: {
  deleteDraft: (email: string, ifMatch: RouteRequest['ifMatch']) => Promise<void>
}): Route {
  return defineRoute({
    method: 'DELETE',
    path: '/v1/workloadIdentities/{email}/draft',
    group: 'Workload identities',
    summary: "Throw an identity's draft away.",
    access: 'claimgate.workloadIdentities.update',
    query: {},
    answer: z.strictObject({}),
    honoursIfMatch: true,
    async handle({ params: { email = '' }, ifMatch, note }) {
      note({ identity: email })
      await deps.deleteDraft(email, ifMatch)
      return { body: {} }
    },
  })
}
