import type { ErrorCode } from '../errors.ts'
import { speaksOAuth } from './oauth-error.ts'
import type { OpenApi, Operation, Parameter, Response } from './openapi-document.ts'
import { COMMON_REFUSALS, type OwnRefusal, refusalsOf } from './openapi-refusals.ts'
import { isRequired, type JsonSchema } from './openapi-schemas.ts'
import { operationIdOf } from './operation-id.ts'
import { PROBLEMS, TEXT_TYPE } from './problem.ts'
import { isAdministration, type Route, takesNoFields } from './route.ts'

const JSON_TYPE = 'application/json'
const FORM_TYPE = 'application/x-www-form-urlencoded'

/** Any one of them will do. */
function securityOf(access: Route['access']): Operation['security'] {
  if (access === 'public') return []
  return access === 'access_token' ? [{ accessToken: [] }] : [{ adminToken: [] }, { accessToken: [] }]
}

function descriptionOf(route: Route): string {
  const { access, alsoNeeds, query, isForItself, errorsAs } = route
  return [
    ...(isAdministration(access) ? [permissionText(access, alsoNeeds)] : []),
    ...(isForItself ? ['An access token may ask about itself without it.'] : []),
    ...(errorsAs === 'text' ? ['Unknown fields are ignored.'] : []),
    ...(takesNoFields(route) ? ['It takes no body.'] : []),
    ...(query === 'ignored' ? ['Parameters are ignored.'] : []),
  ].join(' ')
}

function permissionText(access: string, alsoNeeds: string | undefined): string {
  return `The permission is \`${access}\`${alsoNeeds === undefined ? '' : `, and \`${alsoNeeds}\` too`}.`
}

const PATH_PARAMETERS: Readonly<Record<string, { description: string; schema: JsonSchema }>> = {
  email: { description: 'The email of the identity.', schema: { type: 'string' } },
  project: { description: "The project's id.", schema: { type: 'string' } },
  version: { description: 'The number of the version.', schema: { type: 'integer', minimum: 1 } },
  id: { description: 'The last part of its name.', schema: { type: 'string' } },
}

/** One operation; `schemaOf` gives the schemas of its answer, body, parameters and details by their names. */
export function describeOperation(route: Route, schemaOf: (name: string) => JsonSchema): Operation {
  const id = operationIdOf(route)
  const description = descriptionOf(route)
  const parameters = parametersOf(route, (name) => schemaOf(`${id} ?${name}`))
  return {
    operationId: id,
    tags: [route.group],
    summary: route.summary,
    ...(description !== '' && { description }),
    security: securityOf(route.access),
    ...(parameters.length > 0 && { parameters }),
    ...(route.body !== undefined && {
      requestBody: {
        required: true,
        content: { [route.body.form ? FORM_TYPE : JSON_TYPE]: { schema: schemaOf(`${id} body`) } },
      },
    }),
    responses: {
      ...(route.answer.type !== 'never' && {
        200: response(200, 'OK.', route.contentType ?? JSON_TYPE, schemaOf(`${id} answer`)),
      }),
      ...Object.fromEntries(
        [...refusalsOf(route)].map(([status, own]) => [
          status,
          speaksOAuth(route.path)
            ? oauthRefusal(status, own)
            : route.errorsAs === 'text'
              ? textRefusal(status)
              : refusal(status, own, (code) => schemaOf(`${id} ${code}`)),
        ]),
      ),
    },
  }
}

/** The refusals that operations share, by the names that they refer to them by: as ours, and as OAuth's. */
export function commonResponses(): OpenApi['components']['responses'] {
  return Object.fromEntries(
    Object.entries(COMMON_REFUSALS).flatMap(([status, { name, description, errors }]) => [
      [name, response(Number(status), description, JSON_TYPE, errorSchema(errors, NO_DETAILS))],
      [`OAuth${name}`, response(Number(status), description, JSON_TYPE, OAUTH_ERROR)],
    ]),
  )
}

const OAUTH_ERROR: JsonSchema = { $ref: '#/components/schemas/OAuthError' }

function oauthRefusal(status: number, own: readonly OwnRefusal[]): Response {
  const { name } = COMMON_REFUSALS[status] ?? unknownStatus(status)
  if (own.length === 0) return { $ref: `#/components/responses/OAuth${name}` }
  return response(status, own.map(({ description }) => description).join(' '), JSON_TYPE, OAUTH_ERROR)
}

/** What an operation refuses with a status: as all do, but for the errors that it describes itself. */
function refusal(
  status: number,
  own: readonly OwnRefusal[],
  detailsOf: (code: ErrorCode) => JsonSchema,
): Response {
  const { name, description, errors } = COMMON_REFUSALS[status] ?? unknownStatus(status)
  if (own.length === 0) return { $ref: `#/components/responses/${name}` }
  // What can exist already is only made now, and has no etag yet that could be another.
  const isCreate = own.some(({ code }) => code === 'already_exists')
  const others = isCreate ? [] : errors.filter((error) => own.every(({ code }) => code !== error))
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

/** The message alone. */
function textRefusal(status: number): Response {
  const { description } = COMMON_REFUSALS[status] ?? unknownStatus(status)
  return response(status, description, TEXT_TYPE, { type: 'string' })
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

export const HEADERS: OpenApi['components']['headers'] = {
  'X-Request-Id': { description: 'The request, as the log has it.', schema: { type: 'string' } },
  'WWW-Authenticate': {
    description: 'How to authenticate (RFC 6750), and under `/oauth2` what is wrong with what was sent.',
    schema: { type: 'string', pattern: '^[A-Za-z][A-Za-z0-9-]*( [a-z]+="[a-z_]+")?$' },
  },
  'Retry-After': { description: 'Seconds.', schema: { type: 'string', pattern: '^[1-9][0-9]*$' } },
  Allow: { description: 'The methods of this path.', schema: { type: 'string' } },
}

const HEADERS_OF: Readonly<Record<number, string>> = {
  401: 'WWW-Authenticate',
  405: 'Allow',
  429: 'Retry-After',
  503: 'Retry-After',
}

/** An answer with the headers that its status has. */
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
