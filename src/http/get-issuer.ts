import { RequestError } from '../errors.ts'
import type { Issuer, KeyStatus } from '../issuer/issuer.ts'
import type { IssuerStore } from '../issuer/issuer-store.ts'
import { issuerJson } from './issuer-json.ts'
import type { Route } from './route.ts'

/** `GET /v1/issuers/{id}`. */
export function getIssuerRoute(deps: {
  issuers: Pick<IssuerStore, 'get'>
  keyStatus: (issuer: Issuer) => KeyStatus
}): Route {
  return {
    method: 'GET',
    path: '/v1/issuers/{id}',
    access: 'administrator',
    query: [],
    async handle({ params: { id = '' } }) {
      const issuer = await deps.issuers.get(id)
      if (issuer === undefined) throw new RequestError('not_found', 'There is no such issuer.')
      return { body: issuerJson(issuer, deps.keyStatus(issuer)) }
    },
  }
}
