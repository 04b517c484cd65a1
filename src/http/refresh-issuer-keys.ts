import type { Authorship } from '../fields/authorship.ts'
import type { Issuer, KeyStatus } from '../issuer/issuer.ts'
import type { StoredIssuer } from '../issuer/issuer-store.ts'
import { authorshipOf, reasonParameter } from './authorship.ts'
import { issuerAnswer, issuerJson } from './issuer-json.ts'
import { defineRoute, type Route, type RouteRequest } from './route.ts'
import { taggedAnswer } from './tagged-answer.ts'

/** `POST /v1/issuers/{id}:refreshKeys`. */
export function refreshIssuerKeysRoute(deps: {
  refreshKeys: (id: string, ifMatch: RouteRequest['ifMatch'], authorship: Authorship) => Promise<StoredIssuer>
  keyStatus: (issuer: Issuer) => KeyStatus
}): Route {
  return defineRoute({
    method: 'POST',
    path: '/v1/issuers/{id}:refreshKeys',
    group: 'Issuers',
    summary:
      "Fetch an issuer's keys at once, for the instance that answers; keys.lastError tells of a failure.",
    access: 'claimgate.issuers.refresh',
    query: { reason: reasonParameter },
    answer: issuerAnswer,
    honoursIfMatch: true,
    async handle({ params: { id = '' }, query, ifMatch, ...by }) {
      const issuer = await deps.refreshKeys(id, ifMatch, authorshipOf(by, query))
      return taggedAnswer(issuerJson(issuer, deps.keyStatus(issuer)))
    },
  })
}
