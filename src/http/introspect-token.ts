import { z } from 'zod'
import { invalidArgument } from '../errors.ts'
import type { FindLiveToken, LiveToken } from '../issuance/find-live-token.ts'
import { NEVER_STORED } from './oauth-error.ts'
import { defineRoute, type Route, SMALL_BODY } from './route.ts'

/** What introspection and revocation are asked with (RFC 7662 section 2.1, RFC 7009 section 2.1). */
export const tokenFields = z.object({
  token: z.string().optional().meta({ description: 'Required: an access token of ours.' }),
  token_type_hint: z.string().optional().meta({ description: 'Ignored: there is one type of token.' }),
})

/** Throws `invalid_argument` where there is no token in the form. */
export function requiredToken({ token }: z.infer<typeof tokenFields>): string {
  if (token === undefined) throw invalidArgument('token is required')
  return token
}

const inactive = z.strictObject({ active: z.literal(false) })
const active = z.strictObject({
  active: z.literal(true),
  iss: z.string(),
  sub: z.string().meta({ description: "The identity's email." }),
  aud: z.string(),
  client_id: z.string(),
  token_type: z.literal('Bearer'),
  iat: z.int(),
  nbf: z.int(),
  exp: z.int(),
  jti: z.uuid().meta({ description: 'The id of the decision that it was issued on.' }),
  roles: z.array(z.string()).meta({ description: 'Those of the token that its rules still grant.' }),
  projects: z.array(z.strictObject({ name: z.string(), roles: z.array(z.string()) })).meta({
    description: 'The same of an identity of a project, in that project only.',
  }),
  rules: z
    .array(z.string())
    .meta({ description: 'The ids of the rules it met that are still there and enabled.' }),
  workload: z.record(z.string(), z.string()).meta({ description: 'The job that it was issued to.' }),
})

/** `POST /oauth2/introspect` (RFC 7662): what a token is worth at this moment. */
export function introspectTokenRoute(deps: { findLiveToken: FindLiveToken; publicUrl: string }): Route {
  return defineRoute({
    method: 'POST',
    path: '/oauth2/introspect',
    group: 'OAuth',
    summary: 'Ask whether an access token counts at this moment, and what it still gives (RFC 7662).',
    operationId: 'introspectToken',
    access: 'claimgate.tokens.introspect',
    query: 'ignored',
    body: {
      schema: tokenFields.meta({ examples: [{ token: 'eyJhbGciOi…' }] }),
      limit: SMALL_BODY,
      form: { repeatable: [] },
    },
    answer: z.union([active, inactive]),
    async handle({ body, note }) {
      const live = await deps.findLiveToken(requiredToken(body), 'any')
      if (live === undefined) return { headers: NEVER_STORED, body: { active: false } }
      note({ identity: live.identity.email })
      return { headers: NEVER_STORED, body: introspection(deps.publicUrl, live) }
    },
  })
}

function introspection(issuer: string, { claims, ...live }: LiveToken): z.infer<typeof active> {
  return {
    active: true,
    iss: issuer,
    sub: claims.email,
    aud: claims.audience,
    client_id: claims.email,
    token_type: 'Bearer',
    iat: claims.issueTime,
    nbf: claims.issueTime,
    exp: claims.expireTime,
    jti: claims.decisionId,
    roles: [...live.roles],
    projects: live.projects.map(({ name, roles }) => ({ name, roles: [...roles] })),
    rules: [...live.rules],
    workload: claims.workload,
  }
}
