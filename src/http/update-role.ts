import type { ZodType } from 'zod'
import type { Caller } from '../access/caller.ts'
import type { Role } from '../access/role.ts'
import type { Authorship } from '../fields/authorship.ts'
import type { MaskFields, Update } from '../fields/field-mask.ts'
import { authorshipOf, reasonParameter } from './authorship.ts'
import { ROLE_EXAMPLE } from './create-role.ts'
import { roleAnswer, roleJson } from './role-json.ts'
import { defineRoute, type Route, SMALL_BODY } from './route.ts'
import { taggedAnswer } from './tagged-answer.ts'
import { updateMaskParameter } from './update-mask.ts'

/** `PATCH /v1/roles/{id}?updateMask=…`: what it gives, it gives at once to all who have it. */
export function updateRoleRoute<Body>(deps: {
  roleBody: ZodType<Body>
  roleFields: MaskFields
  updateRole: (caller: Caller, id: string, update: Update<Body>, authorship: Authorship) => Promise<Role>
}): Route {
  return defineRoute({
    method: 'PATCH',
    path: '/v1/roles/{id}',
    group: 'Roles',
    summary: 'Change what a role gives, at once to all who have it; not a built-in one.',
    access: 'claimgate.roles.update',
    query: { updateMask: updateMaskParameter(deps.roleFields), reason: reasonParameter },
    body: { schema: deps.roleBody.meta({ examples: [ROLE_EXAMPLE] }), limit: SMALL_BODY },
    answer: roleAnswer,
    refusals: { failed_precondition: { description: 'The role is built in.' } },
    honoursIfMatch: true,
    async handle({ params: { id = '' }, query, body, ifMatch, ...by }) {
      const update = { body, mask: query.updateMask, ifMatch }
      return taggedAnswer(roleJson(await deps.updateRole(by.caller, id, update, authorshipOf(by, query))))
    },
  })
}
