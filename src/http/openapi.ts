import { isDeepStrictEqual } from 'node:util'
import type { ZodType } from 'zod'
import type { OpenApi } from './openapi-document.ts'
import { commonResponses, describeOperation, HEADERS } from './openapi-operation.ts'
import { errorAnswerSchema, oauthErrorSchema } from './openapi-refusals.ts'
import { type JsonSchema, toJsonSchemas } from './openapi-schemas.ts'
import { operationIdOf } from './operation-id.ts'
import type { Route, RouteGroup } from './route.ts'

const DESCRIPTION = `Trades a CI job's OIDC token for a short-lived access token, by policy, and records every decision.

Every answer carries \`X-Request-Id\` (the request's own, where it is harmless to repeat), \`Cache-Control: no-store\`
unless its operation says otherwise, and \`X-Content-Type-Options: nosniff\`. HEAD is answered wherever GET is. A path
that is not here is a 404, another method of one that is a 405, and what is no HTTP a 400, 408 or 431, all of them as
an Error (under \`/oauth2\`: as an OAuthError, and what a form has besides is ignored). Elsewhere a parameter or field
that is not here is refused by name, unless it says that parameters are ignored.`

/** The groups in the order in which a reader meets them. */
const GROUPS: Readonly<Record<RouteGroup, string>> = {
  Jobs: 'What a CI job calls, and what services do that are handed its access token.',
  OAuth:
    'The same exchange, and what an access token is worth, as the libraries of OAuth 2.0 ask. Errors are as RFC 6749 has them.',
  'Workload identities':
    'Who may come: identities, the rules that let jobs in, and the policies they become.',
  Guardrails: 'What the organisation demands of every job, beside every identity.',
  Issuers: 'Whose tokens are trusted, and their keys.',
  Projects: 'Projects, and who has which roles in them.',
  Roles: 'What whoever has a role may do, here and with the services behind claimgate.',
  'Access decisions':
    'What services ask before they let somebody do something: AuthZEN, Authorization API 1.0.',
  Decisions:
    'What was decided, and why; never changed, and kept for as long as DECISION_RETENTION_DAYS says, or for ever.',
  'Signing keys': 'The keys that sign access tokens, and their replacement.',
  Administration: 'Who administers, and what they changed or were refused to; changes are kept for ever.',
  Operation: 'Whether the service runs, and what it can be asked.',
}

/** Describes routes as OpenAPI 3.1, from the very schemas that their requests are read by. */
export function createOpenApi(
  routes: readonly Route[],
  about: { readonly publicUrl: string; readonly version: string },
): OpenApi {
  const answers = toJsonSchemas(
    { ...collect(routes, answerSchemas), Error: errorAnswerSchema, OAuthError: oauthErrorSchema },
    'output',
  )
  const requests = toJsonSchemas(collect(routes, requestSchemas), 'input')
  const twofold = Object.keys(requests.shared).filter(
    (id) => Object.hasOwn(answers.shared, id) && !isDeepStrictEqual(answers.shared[id], requests.shared[id]),
  )
  if (twofold.length > 0)
    throw new Error(`In a request and in an answer, other fields: ${twofold.join(', ')}`)
  const schemaOf = (name: string): JsonSchema => answers.schemas[name] ?? requests.schemas[name] ?? {}
  const byPath = Map.groupBy(routes, ({ path }) => path)
  return {
    openapi: '3.1.1',
    info: {
      title: 'claimgate',
      version: about.version,
      description: DESCRIPTION,
      license: { name: 'Apache 2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: about.publicUrl }],
    tags: Object.entries(GROUPS)
      .filter(([name]) => routes.some(({ group }) => group === name))
      .map(([name, description]) => ({ name, description })),
    paths: Object.fromEntries(
      [...byPath].map(([path, ofPath]) => [
        path,
        Object.fromEntries(
          ofPath.map((route) => [route.method.toLowerCase(), describeOperation(route, schemaOf)]),
        ),
      ]),
    ),
    components: {
      schemas: { ...answers.shared, ...requests.shared },
      responses: commonResponses(),
      headers: HEADERS,
      securitySchemes: {
        accessToken: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description: 'An access token of ours.',
        },
        adminToken: { type: 'http', scheme: 'bearer', description: "The administrator's token." },
      },
    },
  }
}

type Named = readonly (readonly [name: string, schema: ZodType])[]

function collect(routes: readonly Route[], schemasOf: (route: Route, id: string) => Named) {
  return Object.fromEntries(routes.flatMap((route) => schemasOf(route, operationIdOf(route))))
}

function answerSchemas(route: Route, id: string): Named {
  const refusals = Object.entries(route.refusals ?? {})
  return [
    [`${id} answer`, route.answer],
    ...refusals.flatMap(([code, { details }]) =>
      details === undefined ? [] : ([[`${id} ${code}`, details]] as const),
    ),
  ]
}

function requestSchemas(route: Route, id: string): Named {
  const query = route.query === 'ignored' ? [] : Object.entries(route.query)
  return [
    ...query.map(([name, schema]) => [`${id} ?${name}`, schema] as const),
    ...(route.body === undefined ? [] : [[`${id} body`, route.body.schema] as const]),
  ]
}
