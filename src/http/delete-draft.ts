import { z } from 'zod'
import type { Authorship } from '../fields/authorship.ts'
import { authorshipOf, reasonParameter } from './authorship.ts'
import { defineRoute, type Route, type RouteRequest } from './route.ts'

/** `DELETE /v1/workloadIdentities/{email}/draft`. */
export function deleteDraftRoute(deps: {
  deleteDraft: (email: string, ifMatch: RouteRequest['ifMatch'], authorship: Authorship) => Promise<void>
}): Route {
  return defineRoute({
    method: 'DELETE',
    path: '/v1/workloadIdentities/{email}/draft',
    group: 'Workload identities',
    summary: "Throw an identity's draft away.",
    access: 'claimgate.workloadIdentities.update',
    query: { reason: reasonParameter },
    answer: z.strictObject({}),
    honoursIfMatch: true,
    async handle({ params: { email = '' }, query, ifMatch, note, ...by }) {
      note({ identity: email })
      await deps.deleteDraft(email, ifMatch, authorshipOf(by, query))
      return { body: {} }
    },
  })
}
