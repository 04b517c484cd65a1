import { z } from 'zod'
import type { Authorship } from '../fields/authorship.ts'
import type { StoredSigningKey } from '../issuance/signing-key.ts'
import { authorshipOf, reasonParameter } from './authorship.ts'
import { defineRoute, type Route, SMALL_BODY } from './route.ts'
import { signingKeyAnswer, signingKeyJson } from './signing-key-json.ts'

const rotateBody = z.strictObject({
  immediately: z.boolean().optional().meta({
    description:
      'For emergencies: a new key signs at once; every key before it is gone at once, and so are its tokens.',
  }),
})

/** `POST /v1/signingKeys:rotate`. */
export function rotateSigningKeyRoute(deps: {
  rotateSigningKey: (
    options: { readonly immediately: boolean },
    authorship: Authorship,
  ) => Promise<StoredSigningKey>
}): Route {
  return defineRoute({
    method: 'POST',
    path: '/v1/signingKeys:rotate',
    group: 'Signing keys',
    summary:
      'Publish the next signing key, which signs from its activateTime on, and answer with it; where one is published already, with that.',
    access: 'claimgate.signingKeys.rotate',
    query: { reason: reasonParameter },
    body: { schema: rotateBody, limit: SMALL_BODY },
    answer: signingKeyAnswer,
    async handle({ body: { immediately = false }, query, ...by }) {
      const key = await deps.rotateSigningKey({ immediately }, authorshipOf(by, query))
      return { body: signingKeyJson(key) }
    },
  })
}
