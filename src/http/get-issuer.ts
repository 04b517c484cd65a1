import { RequestError } from '../errors.ts'
import type { Issuer, KeyStatus } from '../issuer/issuer.ts'
import type { IssuerStore } from '../issuer/issuer-store.ts'
import { issuerAnswer, issuerJson } from './issuer-json.ts'
import { defineRoute, type Route } from './route.ts'
import { taggedAnswer } from './tagged-answer.ts'

/** `GET /v1/issuers/{id}`. */
export function getIssuerRoute(deps: {
  issuers: Pick<IssuerStore, 'get'>
  keyStatus: (issuer: Issuer) => KeyStatus
}): Route {
  return defineRoute({
    method: 'GET',
    path: '/v1/issuers/{id}',
    group: 'Issuers',
    summary: 'Get an issuer, with what is known of its keys.',
    access: 'claimgate.issuers.get',
    query: {},
    answer: issuerAnswer,
    async handle({ params: { id = '' } }) {
      const issuer = await deps.issuers.get(id)
      if (issuer === undefined) throw new RequestError('not_found', 'There is no such issuer.')
      return taggedAnswer(issuerJson(issuer, deps.keyStatus(issuer)))
    },
  })
}
