import { type ZodType, z } from 'zod'
import type { Caller } from '../access/caller.ts'
import type { Role } from '../access/role.ts'
import { invalidArgument } from '../errors.ts'
import type { Authorship } from '../fields/authorship.ts'
import { authorshipOf, reasonParameter } from './authorship.ts'
import { roleAnswer, roleJson } from './role-json.ts'
import { defineRoute, type Route, SMALL_BODY } from './route.ts'
import { taggedAnswer } from './tagged-answer.ts'

export const ROLE_EXAMPLE = {
  title: 'Deployer',
  description: 'Makes and changes databases.',
  permissions: ['bb.databases.create', 'bb.databases.update'],
}

/** `POST /v1/roles?roleId=ID`. */
export function createRoleRoute<Body>(deps: {
  roleBody: ZodType<Body>
  createRole: (caller: Caller, id: string, body: Body, authorship: Authorship) => Promise<Role>
}): Route {
  return defineRoute({
    method: 'POST',
    path: '/v1/roles',
    group: 'Roles',
    summary: 'Create a role, which rules and projects can then give.',
    access: 'claimgate.roles.create',
    query: {
      roleId: z.string().meta({ description: 'Required: the last part of its name.' }),
      reason: reasonParameter,
    },
    body: { schema: deps.roleBody.meta({ examples: [ROLE_EXAMPLE] }), limit: SMALL_BODY },
    answer: roleAnswer,
    async handle({ query, body, ...by }) {
      if (!query.roleId) throw invalidArgument('The parameter roleId is required.')
      return taggedAnswer(
        roleJson(await deps.createRole(by.caller, query.roleId, body, authorshipOf(by, query))),
      )
    },
  })
}
