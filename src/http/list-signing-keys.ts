import { z } from 'zod'
import type { StoredSigningKey } from '../issuance/signing-key.ts'
import type { SigningKeyQuery } from '../issuance/signing-key-store.ts'
import { nextPageToken, pageParameters, readPage } from './page.ts'
import type { PageTokens } from './page-token.ts'
import { defineRoute, type Route } from './route.ts'
import { signingKeyAnswer, signingKeyJson } from './signing-key-json.ts'

/** `GET /v1/signingKeys`: the newest first. */
export function listSigningKeysRoute(deps: {
  listSigningKeys: (query: SigningKeyQuery) => Promise<readonly StoredSigningKey[]>
  placeOf: (key: StoredSigningKey) => string
  pageTokens: PageTokens
}): Route {
  return defineRoute({
    method: 'GET',
    path: '/v1/signingKeys',
    group: 'Signing keys',
    summary: 'List the keys that sign access tokens, did or will, the newest first.',
    access: 'claimgate.signingKeys.list',
    query: pageParameters,
    answer: z.strictObject({ signingKeys: z.array(signingKeyAnswer), nextPageToken }),
    async handle({ query }) {
      const page = await readPage(
        deps.pageTokens,
        { list: 'signingKeys' },
        query,
        (after, limit) => deps.listSigningKeys({ after, limit }),
        deps.placeOf,
      )
      return { body: { signingKeys: page.items.map(signingKeyJson), nextPageToken: page.nextPageToken } }
    },
  })
}
