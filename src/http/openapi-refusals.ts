import { z } from 'zod'
import type { ErrorCode } from '../errors.ts'
import { OAUTH_ERROR_NAMES } from './oauth-error.ts'
import { PROBLEMS } from './problem.ts'
import { isAdministration, type Route, type RouteRefusal } from './route.ts'

/** What every refusal says; `details` are those of the operation, mostly none. */
export const errorAnswerSchema = z
  .strictObject({
    code: z.int().meta({ description: 'The number of the error in google.rpc.Code.' }),
    message: z
      .string()
      .meta({ description: 'What is wrong and how to mend it, on one line.', pattern: '^.*$' }),
    details: z.array(z.record(z.string(), z.unknown())),
  })
  .meta({ id: 'Error', description: 'What every refusal answers.' })

/** What every refusal says under `/oauth2`. */
export const oauthErrorSchema = z
  .strictObject({
    error: z.enum(OAUTH_ERROR_NAMES),
    error_description: z.string().meta({
      description: 'What is wrong and how to mend it, in the characters that RFC 6749 allows.',
      pattern: String.raw`^[\x20-\x21\x23-\x5b\x5d-\x7e]*$`,
    }),
    details: z.array(z.record(z.string(), z.unknown())).optional().meta({
      description: 'Of a refused exchange, as those of `/v1/auth:exchangeToken`.',
    }),
  })
  .meta({ id: 'OAuthError', description: 'What every refusal under `/oauth2` answers (RFC 6749).' })

/** The refusals that many operations have, by status: each with the errors that lead to it. */
export const COMMON_REFUSALS: Readonly<
  Record<number, { name: string; description: string; errors: readonly ErrorCode[] }>
> = {
  400: {
    name: 'BadRequest',
    description: 'The request is malformed, or asks for what cannot be; the message names the field.',
    errors: ['invalid_argument', 'failed_precondition'],
  },
  401: {
    name: 'Unauthenticated',
    description: 'There is no valid bearer token in the request.',
    errors: ['unauthenticated'],
  },
  403: {
    name: 'PermissionDenied',
    description: 'The caller is known, and lacks the permission.',
    errors: ['permission_denied'],
  },
  404: { name: 'NotFound', description: 'There is no such resource, or path.', errors: ['not_found'] },
  405: {
    name: 'MethodNotAllowed',
    description: 'The path has other methods; Allow names them.',
    errors: ['method_not_allowed'],
  },
  409: {
    name: 'Conflict',
    description: 'The resource has another etag by now than the request names.',
    errors: ['aborted'],
  },
  413: { name: 'PayloadTooLarge', description: 'The body is too large.', errors: ['payload_too_large'] },
  415: {
    name: 'UnsupportedMediaType',
    description: 'The body is not of the type that is asked for, not in UTF-8, or compressed.',
    errors: ['unsupported_media_type'],
  },
  429: {
    name: 'ResourceExhausted',
    description: 'Too many requests that failed; Retry-After says when to come again.',
    errors: ['resource_exhausted'],
  },
  500: {
    name: 'Internal',
    description: "Something went wrong here; the message has the request's id for the log.",
    errors: ['internal'],
  },
  503: {
    name: 'Unavailable',
    description: 'Something that the service needs does not answer; come again after Retry-After.',
    errors: ['unavailable'],
  },
}

export type OwnRefusal = RouteRefusal & { readonly code: ErrorCode }

const ALREADY_EXISTS: OwnRefusal = { code: 'already_exists', description: 'It exists already.' }

/** The statuses other than 200 that an operation may answer with, and what it says of them itself. */
export function refusalsOf(route: Route): ReadonlyMap<number, readonly OwnRefusal[]> {
  const given = Object.entries(route.refusals ?? {}).map(([code, refusal]) => ({
    ...refusal,
    code: code as ErrorCode,
  }))
  const own = isCreate(route) ? [...given, ALREADY_EXISTS] : given
  const statuses = [
    400,
    ...(route.access === 'public' ? [] : [401]),
    ...(isAdministration(route.access) ? [403] : []),
    ...(route.path.includes('{') ? [404] : []),
    ...(route.honoursIfMatch ? [409] : []),
    ...(route.method === 'GET' ? [] : [413]),
    // A text is told of by 400, as all that is wrong with a request.
    ...(route.method === 'GET' || route.errorsAs === 'text' ? [] : [415]),
    500,
    503,
    ...own.map(({ code }) => PROBLEMS[code].status),
  ]
  return new Map(
    [...new Set(statuses)]
      .sort((a, b) => a - b)
      .map((status) => [status, own.filter(({ code }) => PROBLEMS[code].status === status)]),
  )
}

/** AIP-133: a POST on a collection, with the new resource's id. */
function isCreate({ method, path, access, isForItself }: Route): boolean {
  return method === 'POST' && isAdministration(access) && !path.includes(':') && isForItself === undefined
}
