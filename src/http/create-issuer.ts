import type { ZodType } from 'zod'
import { invalidArgument } from '../errors.ts'
import type { CreatedIssuer } from '../issuer/create-issuer.ts'
import type { Issuer, KeyStatus } from '../issuer/issuer.ts'
import { issuerJson } from './issuer-json.ts'
import { parse } from './parse.ts'
import { type Route, SMALL_BODY } from './route.ts'

/** `POST /v1/issuers?issuerId=ID`. */
export function createIssuerRoute<Body>(deps: {
  issuerBody: ZodType<Body>
  createIssuer: (id: string, body: Body) => Promise<CreatedIssuer>
  keyStatus: (issuer: Issuer) => KeyStatus
}): Route {
  return {
    method: 'POST',
    path: '/v1/issuers',
    access: 'administrator',
    query: ['issuerId'],
    bodyLimit: SMALL_BODY,
    async handle({ query, body }) {
      const id = query.issuerId
      if (!id) throw invalidArgument('The parameter issuerId is required.')
      const { issuer, notices } = await deps.createIssuer(id, parse(deps.issuerBody, body))
      return {
        body: { ...issuerJson(issuer, deps.keyStatus(issuer)), ...(notices.length > 0 && { notices }) },
      }
    },
  }
}
