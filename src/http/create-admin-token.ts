import { type ZodType, z } from 'zod'
import type { Caller } from '../access/caller.ts'
import type { CreatedAdminToken } from '../access/change-admin-token.ts'
import type { Authorship } from '../fields/authorship.ts'
import { adminTokenAnswer, adminTokenJson } from './admin-token-json.ts'
import { authorshipOf, reasonParameter } from './authorship.ts'
import { defineRoute, type Route, SMALL_BODY } from './route.ts'
import { taggedAnswer } from './tagged-answer.ts'

const EXAMPLE = { title: 'Nightly audit', roles: ['roles/auditor'], expireTime: '2027-01-01T00:00:00Z' }

/** `POST /v1/adminTokens?adminTokenId=ID`: the one answer that has the token itself. */
export function createAdminTokenRoute<Body>(deps: {
  adminTokenBody: ZodType<Body>
  createAdminToken: (
    caller: Caller,
    id: string | undefined,
    body: Body,
    authorship: Authorship,
  ) => Promise<CreatedAdminToken>
}): Route {
  return defineRoute({
    method: 'POST',
    path: '/v1/adminTokens',
    group: 'Administration',
    summary: "Make an administrator's token, which is shown this once; nobody gives what they do not hold.",
    access: 'claimgate.adminTokens.create',
    query: {
      adminTokenId: z.string().meta({ description: 'The last part of its name; made up where absent.' }),
      reason: reasonParameter,
    },
    body: { schema: deps.adminTokenBody.meta({ examples: [EXAMPLE] }), limit: SMALL_BODY },
    answer: adminTokenAnswer,
    async handle({ query, body, ...by }) {
      const { adminTokenId } = query
      const authorship = authorshipOf(by, query)
      const { adminToken, token } = await deps.createAdminToken(by.caller, adminTokenId, body, authorship)
      const created = { ...adminTokenJson(adminToken), token }
      return taggedAnswer(created)
    },
  })
}
