import { z } from 'zod'
import type { Authorship } from '../fields/authorship.ts'
import { authorshipOf, reasonParameter } from './authorship.ts'
import { defineRoute, type Route, type RouteRequest } from './route.ts'

/** `DELETE /v1/issuers/{id}`: at once no exchange with its tokens any more. */
export function deleteIssuerRoute(deps: {
  deleteIssuer: (id: string, ifMatch: RouteRequest['ifMatch'], authorship: Authorship) => Promise<void>
}): Route {
  return defineRoute({
    method: 'DELETE',
    path: '/v1/issuers/{id}',
    group: 'Issuers',
    summary: 'Delete an issuer: at once none of its tokens is exchanged. It can be undeleted.',
    access: 'claimgate.issuers.delete',
    query: { reason: reasonParameter },
    answer: z.strictObject({}),
    honoursIfMatch: true,
    async handle({ params: { id = '' }, query, ifMatch, ...by }) {
      await deps.deleteIssuer(id, ifMatch, authorshipOf(by, query))
      return { body: {} }
    },
  })
}
