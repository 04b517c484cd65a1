import { z } from 'zod'
import type { Issuer, KeyStatus } from '../issuer/issuer.ts'
import type { IssuerStore } from '../issuer/issuer-store.ts'
import { issuerAnswer, issuerJson } from './issuer-json.ts'
import { nextPageToken, pageParameters, readPage, showDeleted } from './page.ts'
import type { PageTokens } from './page-token.ts'
import { defineRoute, type Route } from './route.ts'

/** `GET /v1/issuers`: by id. */
export function listIssuersRoute(deps: {
  issuers: Pick<IssuerStore, 'list'>
  keyStatus: (issuer: Issuer) => KeyStatus
  pageTokens: PageTokens
}): Route {
  return defineRoute({
    method: 'GET',
    path: '/v1/issuers',
    group: 'Issuers',
    summary: 'List issuers, with what is known of their keys.',
    access: 'claimgate.issuers.list',
    query: { ...pageParameters, showDeleted },
    answer: z.strictObject({ issuers: z.array(issuerAnswer), nextPageToken }),
    async handle({ query }) {
      const { showDeleted = false } = query
      const page = await readPage(
        deps.pageTokens,
        { list: 'issuers', showDeleted },
        query,
        (after, limit) => deps.issuers.list({ after, showDeleted, limit }),
        ({ id }) => id,
      )
      const issuers = page.items.map((issuer) => issuerJson(issuer, deps.keyStatus(issuer)))
      return { body: { issuers, nextPageToken: page.nextPageToken } }
    },
  })
}
