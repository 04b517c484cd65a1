import { z } from 'zod'
import type { RoleStore } from '../access/role-store.ts'
import { filterParameter } from './filter.ts'
import { nextPageToken, pageParameters, readPage } from './page.ts'
import type { PageTokens } from './page-token.ts'
import { roleAnswer, roleJson } from './role-json.ts'
import { defineRoute, type Route } from './route.ts'

/** `GET /v1/roles`: by id, the built-in ones among them. */
export function listRolesRoute(deps: { roles: Pick<RoleStore, 'list'>; pageTokens: PageTokens }): Route {
  return defineRoute({
    method: 'GET',
    path: '/v1/roles',
    group: 'Roles',
    summary: 'List the roles, built-in ones too, by id.',
    access: 'claimgate.roles.list',
    query: {
      ...pageParameters,
      filter: filterParameter({ name: 'text', title: 'text', type: ['BUILT_IN', 'CUSTOM'] }),
    },
    answer: z.strictObject({ roles: z.array(roleAnswer), nextPageToken }),
    async handle({ query }) {
      const filter = query.filter ?? []
      const page = await readPage(
        deps.pageTokens,
        { list: 'roles', filter },
        query,
        (after, limit) => deps.roles.list({ filter, after, limit }),
        ({ id }) => id,
      )
      return { body: { roles: page.items.map(roleJson), nextPageToken: page.nextPageToken } }
    },
  })
}
