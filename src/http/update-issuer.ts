import { type ZodType, z } from 'zod'
import type { SavedIssuer } from '../issuer/create-issuer.ts'
import type { Issuer, KeyStatus } from '../issuer/issuer.ts'
import { answerIssuer, issuerAnswer } from './issuer-json.ts'
import { defineRoute, type Route, SMALL_BODY } from './route.ts'

/** `PATCH /v1/issuers/{id}?updateMask=title,state,algorithms,jwks`. */
export function updateIssuerRoute<Body>(deps: {
  issuerPatch: ZodType<Body>
  updateIssuer: (
    id: string,
    asked: { body: Body; updateMask: string | undefined; ifMatch: readonly string[] | undefined },
  ) => Promise<SavedIssuer>
  keyStatus: (issuer: Issuer) => KeyStatus
}): Route {
  return defineRoute({
    method: 'PATCH',
    path: '/v1/issuers/{id}',
    group: 'Issuers',
    summary: 'Change an issuer: title, state, algorithms, static keys. It holds for the next exchange.',
    access: 'administrator',
    query: {
      updateMask: z.string().meta({
        description: 'The fields to change, separated by commas, or *. Without it those that the body has.',
      }),
    },
    body: { schema: deps.issuerPatch, limit: SMALL_BODY },
    answer: issuerAnswer,
    honoursIfMatch: true,
    async handle({ params: { id = '' }, query: { updateMask }, body, ifMatch }) {
      const { issuer, notices } = await deps.updateIssuer(id, { body, updateMask, ifMatch })
      return answerIssuer(issuer, deps.keyStatus(issuer), notices)
    },
  })
}
