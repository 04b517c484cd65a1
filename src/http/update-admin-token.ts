import type { ZodType } from 'zod'
import type { AdminToken } from '../access/admin-token.ts'
import type { Caller } from '../access/caller.ts'
import type { Authorship } from '../fields/authorship.ts'
import type { MaskFields, Update } from '../fields/field-mask.ts'
import { adminTokenAnswer, adminTokenJson } from './admin-token-json.ts'
import { authorshipOf, reasonParameter } from './authorship.ts'
import { defineRoute, type Route, SMALL_BODY } from './route.ts'
import { taggedAnswer } from './tagged-answer.ts'
import { updateMaskParameter } from './update-mask.ts'

/** `PATCH /v1/adminTokens/{id}?updateMask=title,roles,expireTime`. */
export function updateAdminTokenRoute<Body>(deps: {
  adminTokenPatch: ZodType<Body>
  adminTokenFields: MaskFields
  updateAdminToken: (
    caller: Caller,
    id: string,
    update: Update<Body>,
    authorship: Authorship,
  ) => Promise<AdminToken>
}): Route {
  return defineRoute({
    method: 'PATCH',
    path: '/v1/adminTokens/{id}',
    group: 'Administration',
    summary: "Change an administrator's token: title, roles, expiry. It holds for its next call.",
    access: 'claimgate.adminTokens.update',
    query: { updateMask: updateMaskParameter(deps.adminTokenFields), reason: reasonParameter },
    body: {
      schema: deps.adminTokenPatch.meta({ examples: [{ expireTime: '2027-01-01T00:00:00Z' }] }),
      limit: SMALL_BODY,
    },
    answer: adminTokenAnswer,
    honoursIfMatch: true,
    async handle({ params: { id = '' }, query, body, ifMatch, ...by }) {
      const update = { body, mask: query.updateMask, ifMatch }
      const saved = await deps.updateAdminToken(by.caller, id, update, authorshipOf(by, query))
      return taggedAnswer(adminTokenJson(saved))
    },
  })
}
