import type { Issuer, KeyStatus } from '../issuer/issuer.ts'
import type { StoredIssuer } from '../issuer/issuer-store.ts'
import { issuerAnswer, issuerJson } from './issuer-json.ts'
import { defineRoute, type Route, type RouteRequest } from './route.ts'
import { taggedAnswer } from './tagged-answer.ts'

/** `POST /v1/issuers/{id}:undelete`. */
export function undeleteIssuerRoute(deps: {
  undeleteIssuer: (id: string, ifMatch: RouteRequest['ifMatch']) => Promise<StoredIssuer>
  keyStatus: (issuer: Issuer) => KeyStatus
}): Route {
  return defineRoute({
    method: 'POST',
    path: '/v1/issuers/{id}:undelete',
    group: 'Issuers',
    summary: 'Bring a deleted issuer back, as ACTIVE.',
    access: 'claimgate.issuers.undelete',
    query: {},
    answer: issuerAnswer,
    honoursIfMatch: true,
    async handle({ params: { id = '' }, ifMatch }) {
      const issuer = await deps.undeleteIssuer(id, ifMatch)
      return taggedAnswer(issuerJson(issuer, deps.keyStatus(issuer)))
    },
  })
}
