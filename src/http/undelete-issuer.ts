import type { Issuer, KeyStatus } from '../issuer/issuer.ts'
import type { StoredIssuer } from '../issuer/issuer-store.ts'
import { answerIssuer, issuerAnswer } from './issuer-json.ts'
import { defineRoute, type Route } from './route.ts'

/** `POST /v1/issuers/{id}:undelete`. */
export function undeleteIssuerRoute(deps: {
  undeleteIssuer: (id: string, ifMatch: readonly string[] | undefined) => Promise<StoredIssuer>
  keyStatus: (issuer: Issuer) => KeyStatus
}): Route {
  return defineRoute({
    method: 'POST',
    path: '/v1/issuers/{id}:undelete',
    group: 'Issuers',
    summary: 'Bring a deleted issuer back, as ACTIVE.',
    access: 'administrator',
    query: {},
    answer: issuerAnswer,
    honoursIfMatch: true,
    async handle({ params: { id = '' }, ifMatch }) {
      const issuer = await deps.undeleteIssuer(id, ifMatch)
      return answerIssuer(issuer, deps.keyStatus(issuer))
    },
  })
}
