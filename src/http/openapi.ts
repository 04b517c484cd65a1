import { isDeepStrictEqual } from 'node:util'
import type { ZodType } from 'zod'
import type { ErrorCode } from '../errors.ts'
import { COMMON_REFUSALS, errorAnswerSchema, type OwnRefusal, refusalsOf } from './openapi-refusals.ts'
import { isRequired, type JsonSchema, toJsonSchemas } from './openapi-schemas.ts'
import { operationIdOf } from './operation-id.ts'
import { PROBLEMS } from './problem.ts'
import type { Route, RouteGroup } from './route.ts'

export type Content = Readonly<
  Record<
    string,
    { readonly schema: JsonSchema; readonly examples?: Readonly<Record<string, { readonly value: unknown }>> }
  >
>
export type Parameter = {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
  readonly required: boolean
  readonly description?: string
  readonly schema: JsonSchema
}
export type Response =
  | { readonly $ref: string }
  | {
      readonly description: string
      readonly headers: Readonly<Record<string, unknown>>
      readonly content: Content
    }
export type Operation = {
  readonly operationId: string
  readonly tags: readonly string[]
  readonly summary: string
  readonly description?: string
  readonly security: readonly Readonly<Record<string, readonly string[]>>[]
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { readonly required: true; readonly content: Content }
  readonly responses: Readonly<Record<string, Response>>
}
export type OpenApi = {
  readonly openapi: string
  readonly info: {
    readonly title: string
    readonly version: string
    readonly description: string
    readonly license: { readonly name: string; readonly identifier: string }
  }
  readonly servers: readonly { readonly url: string }[]
  readonly tags: readonly { readonly name: string; readonly description: string }[]
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: {
    readonly schemas: Readonly<Record<string, JsonSchema>>
    readonly responses: Readonly<Record<string, Response>>
    readonly headers: Readonly<Record<string, { readonly description: string; readonly schema: JsonSchema }>>
    readonly securitySchemes: Readonly<Record<string, unknown>>
  }
}

const JSON_TYPE = 'application/json'

const DESCRIPTION = `Trades a CI job's OIDC token for a short-lived access token, by policy, and records every decision.

Every answer carries \`X-Request-Id\` (the request's own, where it is harmless to repeat), \`Cache-Control: no-store\`
unless its operation says otherwise, and \`X-Content-Type-Options: nosniff\`. HEAD is answered wherever GET is. A path
that is not here is a 404, another method of one that is a 405, and what is no HTTP a 400, 408 or 431, all of them as
an Error. A parameter or field that is not here is refused by name, unless it says that parameters are ignored.`

/** The groups in the order in which a reader meets them. */
const GROUPS: Readonly<Record<RouteGroup, string>> = {
  Jobs: 'What a CI job calls, and what services do that are handed its access token.',
  'Workload identities':
    'Who may come: identities, the rules that let jobs in, and the policies they become.',
  Issuers: 'Whose tokens are trusted, and their keys.',
  Projects: 'Projects, and who has which roles in them.',
  Decisions: 'What was decided, and why; nothing is ever changed or removed.',
  Operation: 'Whether the service runs, and what it can be asked.',
}

const ACCESS: Readonly<Record<Route['access'], Operation['security']>> = {
  public: [],
  access_token: [{ accessToken: [] }],
  administrator: [{ adminToken: [] }],
}

const PATH_PARAMETERS: Readonly<Record<string, { description: string; schema: JsonSchema }>> = {
  email: { description: 'The email of the identity.', schema: { type: 'string' } },
  project: { description: "The project's id.", schema: { type: 'string' } },
  id: { description: 'The last part of its name.', schema: { type: 'string' } },
}

/** Describes routes as OpenAPI 3.1, from the very schemas that their requests are read by. */
export function createOpenApi(
  routes: readonly Route[],
  about: { readonly publicUrl: string; readonly version: string },
): OpenApi {
  const answers = toJsonSchemas({ ...collect(routes, answerSchemas), Error: errorAnswerSchema }, 'output')
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
        Object.fromEntries(ofPath.map((route) => [route.method.toLowerCase(), operation(route, schemaOf)])),
      ]),
    ),
    components: {
      schemas: { ...answers.shared, ...requests.shared },
      responses: Object.fromEntries(
        Object.entries(COMMON_REFUSALS).map(([status, { name, description, errors }]) => [
          name,
          response(Number(status), description, JSON_TYPE, errorSchema(errors, NO_DETAILS)),
        ]),
      ),
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

function operation(route: Route, schemaOf: (name: string) => JsonSchema): Operation {
  const id = operationIdOf(route)
  const parameters = parametersOf(route, (name) => schemaOf(`${id} ?${name}`))
  return {
    operationId: id,
    tags: [route.group],
    summary: route.summary,
    ...(route.query === 'ignored' && { description: 'Parameters are ignored.' }),
    security: ACCESS[route.access],
    ...(parameters.length > 0 && { parameters }),
    ...(route.body !== undefined && {
      requestBody: { required: true, content: { [JSON_TYPE]: { schema: schemaOf(`${id} body`) } } },
    }),
    responses: {
      ...(route.answer.type !== 'never' && {
        200: response(200, 'OK.', route.contentType ?? JSON_TYPE, schemaOf(`${id} answer`)),
      }),
      ...Object.fromEntries(
        [...refusalsOf(route)].map(([status, own]) => [
          status,
          refusal(status, own, (code) => schemaOf(`${id} ${code}`)),
        ]),
      ),
    },
  }
}

/** What an operation refuses with a status: as all do, but for the errors that it describes itself. */
function refusal(
  status: number,
  own: readonly OwnRefusal[],
  detailsOf: (code: ErrorCode) => JsonSchema,
): Response {
  const { name, description, errors } = COMMON_REFUSALS[status] ?? unknownStatus(status)
  if (own.length === 0) return { $ref: `#/components/responses/${name}` }
  const others = errors.filter((error) => own.every(({ code }) => code !== error))
  const schemas = [
    ...(others.length === 0 ? [] : [errorSchema(others, NO_DETAILS)]),
    ...own.map(({ code, details }) =>
      errorSchema([code], details === undefined ? NO_DETAILS : detailsOf(code)),
    ),
  ]
  const [first, ...more] = schemas
  return response(
    status,
    [...(others.length === 0 ? [] : [description]), ...own.map((each) => each.description)].join(' '),
    JSON_TYPE,
    first !== undefined && more.length === 0 ? first : { anyOf: schemas },
    Object.assign({}, ...own.map(({ examples }) => examples)),
  )
}

function unknownStatus(status: number): never {
  throw new Error(`No refusal of status ${status} is described.`)
}

function parametersOf(route: Route, schemaOf: (name: string) => JsonSchema): readonly Parameter[] {
  const inPath = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => ({
    name,
    in: 'path' as const,
    required: true,
    ...(PATH_PARAMETERS[name] ?? { schema: { type: 'string' } }),
  }))
  const inQuery = Object.entries(route.query === 'ignored' ? {} : route.query).map(([name, schema]) => {
    const { description, ...rest } = schemaOf(name)
    return {
      name,
      in: 'query' as const,
      required: isRequired(schema),
      ...(typeof description === 'string' && { description }),
      schema: rest,
    }
  })
  return [...inPath, ...inQuery, ...(route.honoursIfMatch ? [IF_MATCH] : [])]
}

const IF_MATCH: Parameter = {
  name: 'If-Match',
  in: 'header',
  required: false,
  description: 'The etag in double quotes that the resource must still have, or several, or *.',
  schema: { type: 'string', examples: ['"3"'] },
}

const HEADERS: OpenApi['components']['headers'] = {
  'X-Request-Id': { description: 'The request, as the log has it.', schema: { type: 'string' } },
  'WWW-Authenticate': { description: 'RFC 6750.', schema: { type: 'string', const: 'Bearer' } },
  'Retry-After': { description: 'Seconds.', schema: { type: 'string', pattern: '^[1-9][0-9]*$' } },
  Allow: { description: 'The methods of this path.', schema: { type: 'string' } },
}

const HEADERS_OF: Readonly<Record<number, string>> = {
  401: 'WWW-Authenticate',
  405: 'Allow',
  429: 'Retry-After',
  503: 'Retry-After',
}

function response(
  status: number,
  description: string,
  contentType: string,
  schema: JsonSchema,
  examples: Readonly<Record<string, unknown>> = {},
): Response {
  const own = HEADERS_OF[status]
  const names = own === undefined ? ['X-Request-Id'] : ['X-Request-Id', own]
  return {
    description,
    headers: Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }])),
    content: {
      [contentType]: {
        schema,
        ...(Object.keys(examples).length > 0 && {
          examples: Object.fromEntries(Object.entries(examples).map(([name, value]) => [name, { value }])),
        }),
      },
    },
  }
}

const NO_DETAILS: JsonSchema = { type: 'array', maxItems: 0 }

/** An Error with one of these codes and such details. */
function errorSchema(codes: readonly ErrorCode[], details: JsonSchema): JsonSchema {
  const numbers = [...new Set(codes.map((code) => PROBLEMS[code].code))]
  return {
    allOf: [
      { $ref: '#/components/schemas/Error' },
      { type: 'object', properties: { code: { enum: numbers }, details } },
    ],
  }
}
