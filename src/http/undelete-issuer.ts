import type { Authorship } from '../fields/authorship.ts'
import type { Issuer, KeyStatus } from '../issuer/issuer.ts'
import type { StoredIssuer } from '../issuer/issuer-store.ts'
import { authorshipOf, reasonParameter } from './authorship.ts'
import { issuerAnswer, issuerJson } from './issuer-json.ts'
import { defineRoute, type Route, type RouteRequest } from './route.ts'
import { taggedAnswer } from './tagged-answer.ts'

/** `POST /v1/issuers/{id}:undelete`. */
export function undeleteIssuerRoute(deps: {
  undeleteIssuer: (
    id: string,
    ifMatch: RouteRequest['ifMatch'],
    authorship: Authorship,
  ) => Promise<StoredIssuer>
  keyStatus: (issuer: Issuer) => KeyStatus
}): Route {
  return defineRoute({
    method: 'POST',
    path: '/v1/issuers/{id}:undelete',
    group: 'Issuers',
    summary: 'Bring a deleted issuer back, as ACTIVE.',
    access: 'claimgate.issuers.undelete',
    query: { reason: reasonParameter },
    answer: issuerAnswer,
    honoursIfMatch: true,
    async handle({ params: { id = '' }, query, ifMatch, ...by }) {
      const issuer = await deps.undeleteIssuer(id, ifMatch, authorshipOf(by, query))
      return taggedAnswer(issuerJson(issuer, deps.keyStatus(issuer)))
    },
  })
}
