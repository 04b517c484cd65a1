import { z } from 'zod'
import type { GrantStore, ProjectRole, Subject } from '../access/grant-store.ts'
import { RequestError } from '../errors.ts'
import type { StoredIdentity } from '../identity/identity-store.ts'
import type { AccessTokenClaims } from '../issuance/access-token.ts'
import { defineRoute, type Route } from './route.ts'
import { subjectOfToken } from './subject-of-token.ts'

const userAnswer = z
  .strictObject({
    name: z.string().meta({ description: '`users/` and the email.' }),
    email: z.string(),
    title: z.string(),
    state: z.literal('ACTIVE'),
    userType: z.literal('WORKLOAD_IDENTITY'),
    workspace: z.literal('workspaces/default'),
    roles: z.array(z.string()).meta({ description: "The token's roles that its rules still grant." }),
    projects: z.array(z.strictObject({ name: z.string(), roles: z.array(z.string()) })).meta({
      description:
        "By name, each project in which the identity is a member, also by a rule that the token met, or which it belongs to: its roles there, in its own also the rules'.",
    }),
  })
  .meta({ id: 'User' })

/** `GET /v1/users/me`: who an access token stands for, read anew each time. */
export function getCurrentUserRoute(deps: {
  verifyAccessToken: (token: string) => Promise<AccessTokenClaims | undefined>
  findIdentityOfToken: (claims: AccessTokenClaims) => Promise<StoredIdentity | undefined>
  listMemberships: GrantStore['listMemberships']
}): Route {
  return defineRoute({
    method: 'GET',
    path: '/v1/users/me',
    group: 'Jobs',
    summary: 'Get who an access token stands for.',
    operationId: 'getCurrentUser',
    access: 'access_token',
    query: 'ignored',
    answer: userAnswer,
    async handle({ authorization, note }) {
      const claims = await deps.verifyAccessToken(readBearer(authorization))
      const identity = claims && (await deps.findIdentityOfToken(claims))
      if (claims === undefined || !identity?.isActive) throw invalidToken()
      note({ identity: identity.email })
      const subject = subjectOfToken(claims, identity)
      return {
        body: {
          name: `users/${identity.email}`,
          email: identity.email,
          title: identity.title,
          state: 'ACTIVE',
          userType: 'WORKLOAD_IDENTITY',
          workspace: 'workspaces/default',
          roles: subject.projectId === null ? rolesOf(subject) : [],
          projects: projectsOf(subject, await deps.listMemberships(subject)),
        },
      }
    },
  })
}

function rolesOf({ rules }: Subject): readonly string[] {
  return [...new Set(rules.flatMap(({ roles }) => roles))].sort()
}

/** Its own among them, whatever its roles there. */
function projectsOf(subject: Subject, memberships: readonly ProjectRole[]) {
  const { projectId } = subject
  const own = projectId === null ? [] : rolesOf(subject).map((role) => ({ projectId, role }))
  const byProject = Map.groupBy([...own, ...memberships], (each) => each.projectId)
  if (projectId !== null && !byProject.has(projectId)) byProject.set(projectId, [])
  return [...byProject.keys()].sort().map((id) => ({
    name: `projects/${id}`,
    roles: [...new Set((byProject.get(id) ?? []).map(({ role }) => role))].sort(),
  }))
}

/** RFC 6750 §2.1. A script that did not look at the exchange's answer sends what jq made of it: `null` or nothing. */
function readBearer(authorization: string | undefined): string {
  const [bearer, token = ''] = /^Bearer(?: +(.*))?$/i.exec(authorization ?? '') ?? []
  if (token !== '' && token !== 'null') return token
  if (bearer === undefined) {
    throw new RequestError(
      'unauthenticated',
      'An access token is required: Authorization: Bearer ACCESS_TOKEN.',
    )
  }
  throw new RequestError(
    'unauthenticated',
    'There is no access token in this request: the exchange before it was refused. Print its answer to see why.',
  )
}

function invalidToken(): RequestError {
  return new RequestError(
    'unauthenticated',
    'The access token is invalid or expired, or its identity is no longer active.',
  )
}
