import { z } from 'zod'
import type { AdminTokenStore } from '../access/admin-token-store.ts'
import { adminTokenAnswer, adminTokenJson } from './admin-token-json.ts'
import { nextPageToken, pageParameters, readPage } from './page.ts'
import type { PageTokens } from './page-token.ts'
import { defineRoute, type Route } from './route.ts'

/** `GET /v1/adminTokens`: by id; the setting ADMIN_TOKEN is not among them. */
export function listAdminTokensRoute(deps: {
  adminTokens: Pick<AdminTokenStore, 'list'>
  pageTokens: PageTokens
}): Route {
  return defineRoute({
    method: 'GET',
    path: '/v1/adminTokens',
    group: 'Administration',
    summary: "List administrators' tokens, by id, without their secrets; those that expired too.",
    access: 'claimgate.adminTokens.list',
    query: pageParameters,
    answer: z.strictObject({ adminTokens: z.array(adminTokenAnswer), nextPageToken }),
    async handle({ query }) {
      const page = await readPage(
        deps.pageTokens,
        { list: 'adminTokens' },
        query,
        (after, limit) => deps.adminTokens.list({ after, limit }),
        ({ id }) => id,
      )
      return { body: { adminTokens: page.items.map(adminTokenJson), nextPageToken: page.nextPageToken } }
    },
  })
}
