import type { ZodType } from 'zod'
import type { Caller } from '../access/caller.ts'
import type { Authorship } from '../fields/authorship.ts'
import type { MaskFields, Update } from '../fields/field-mask.ts'
import type { SavedIssuer } from '../issuer/create-issuer.ts'
import type { Issuer, KeyStatus } from '../issuer/issuer.ts'
import { authorshipOf, reasonParameter } from './authorship.ts'
import { issuerAnswer, issuerJson } from './issuer-json.ts'
import { defineRoute, type Route, SMALL_BODY } from './route.ts'
import { taggedAnswer } from './tagged-answer.ts'
import { updateMaskParameter } from './update-mask.ts'

/** `PATCH /v1/issuers/{id}?updateMask=title,state,algorithms,jwks`. */
export function updateIssuerRoute<Body>(deps: {
  issuerPatch: ZodType<Body>
  issuerFields: MaskFields
  updateIssuer: (
    caller: Caller,
    id: string,
    update: Update<Body>,
    authorship: Authorship,
  ) => Promise<SavedIssuer>
  keyStatus: (issuer: Issuer) => KeyStatus
}): Route {
  return defineRoute({
    method: 'PATCH',
    path: '/v1/issuers/{id}',
    group: 'Issuers',
    summary: 'Change an issuer: title, state, algorithms, static keys. It holds for the next exchange.',
    access: 'claimgate.issuers.update',
    query: { updateMask: updateMaskParameter(deps.issuerFields), reason: reasonParameter },
    body: { schema: deps.issuerPatch.meta({ examples: [{ state: 'DISABLED' }] }), limit: SMALL_BODY },
    answer: issuerAnswer,
    honoursIfMatch: true,
    async handle({ params: { id = '' }, query, body, ifMatch, ...by }) {
      const update = { body, mask: query.updateMask, ifMatch }
      const { issuer, notices } = await deps.updateIssuer(by.caller, id, update, authorshipOf(by, query))
      return taggedAnswer(issuerJson(issuer, deps.keyStatus(issuer), notices))
    },
  })
}
