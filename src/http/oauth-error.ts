import { type ErrorCode, RequestError } from '../errors.ts'
import { plainText } from '../exchange/plain-text.ts'
import type { Refusal } from '../exchange/refuse.ts'
import { problemAnswer, refusalAnswer } from './problem.ts'
import type { RouteAnswer } from './route.ts'

/** What OAuth calls an error of ours where nothing more is known of it (RFC 6749 section 5.2, RFC 6750 section 3.1). */
const OAUTH_ERRORS = {
  invalid_argument: 'invalid_request',
  payload_too_large: 'invalid_request',
  unsupported_media_type: 'invalid_request',
  not_found: 'invalid_request',
  method_not_allowed: 'invalid_request',
  already_exists: 'invalid_request',
  failed_precondition: 'invalid_request',
  aborted: 'invalid_request',
  permission_denied: 'insufficient_scope',
  unauthenticated: 'invalid_token',
  // Of section 4.1.2.1, for what goes by itself.
  resource_exhausted: 'temporarily_unavailable',
  unavailable: 'temporarily_unavailable',
  internal: 'server_error',
} as const satisfies Record<ErrorCode, string>

export type OAuthErrorName =
  | (typeof OAUTH_ERRORS)[ErrorCode]
  | 'invalid_client'
  | 'invalid_scope'
  | 'invalid_target'
  | 'unsupported_grant_type'

export const OAUTH_ERROR_NAMES: readonly OAuthErrorName[] = [
  ...new Set(Object.values(OAUTH_ERRORS)),
  'invalid_client',
  'invalid_scope',
  'invalid_target',
  'unsupported_grant_type',
]

/** An error that OAuth has a name of its own for. `challenge`: how a client that may not do so may authenticate. */
export class OAuthError extends RequestError {
  readonly error: OAuthErrorName
  readonly challenge: string | undefined

  constructor(error: OAuthErrorName, message: string, challenge?: string) {
    super(challenge === undefined ? 'invalid_argument' : 'unauthenticated', message)
    this.error = error
    this.challenge = challenge
  }
}

/** Whether errors at this path are OAuth's: under `/oauth2`, also where nothing is. */
export function speaksOAuth(path: string): boolean {
  return path === '/oauth2' || path.startsWith('/oauth2/')
}

/** The answer to a request under `/oauth2` that ended in an error; an unexpected one says nothing but the request's id. */
export function oauthProblemAnswer(
  error: unknown,
  requestId: string,
  authorization: string | undefined,
): RouteAnswer {
  const answer = problemAnswer(error, requestId)
  const code = error instanceof RequestError ? error.code : 'internal'
  const name = error instanceof OAuthError ? error.error : OAUTH_ERRORS[code]
  const challenge = error instanceof OAuthError ? error.challenge : bearerChallenge(code, authorization)
  return inOAuth(name, {
    ...answer,
    headers: { ...answer.headers, ...(challenge !== undefined && { 'WWW-Authenticate': challenge }) },
  })
}

/** A refused exchange. What is wrong with the token or its identity is a 400 (RFC 8693 section 2.2.2). */
export function oauthRefusalAnswer(refusal: Refusal, isOfTarget: boolean): RouteAnswer {
  if (refusal.code !== 'unauthenticated' && refusal.code !== 'permission_denied') {
    return inOAuth(OAUTH_ERRORS[refusal.code], refusalAnswer(refusal))
  }
  return inOAuth(isOfTarget ? 'invalid_target' : 'invalid_request', {
    ...refusalAnswer({ ...refusal, code: 'invalid_argument' }),
  })
}

/** RFC 6750 section 3: without credentials it is asked for some, and told of no error. */
function bearerChallenge(code: ErrorCode, authorization: string | undefined): string | undefined {
  if (code === 'permission_denied') return 'Bearer error="insufficient_scope"'
  if (code !== 'unauthenticated') return undefined
  return authorization === undefined ? 'Bearer' : 'Bearer error="invalid_token"'
}

/** Writes an error of ours as one of OAuth. */
function inOAuth(error: OAuthErrorName, { status, headers, body }: RouteAnswer): RouteAnswer {
  const { message, details } = body as { readonly message: string; readonly details: readonly unknown[] }
  return {
    ...(status !== undefined && { status }),
    headers: { ...headers, ...NEVER_STORED },
    body: {
      error,
      error_description: describable(message),
      ...(details.length > 0 && { details }),
    },
  }
}

/** RFC 6749 section 5.1, for caches of HTTP/1.0, beside the Cache-Control that every answer has. */
export const NEVER_STORED = { Pragma: 'no-cache' }

/** RFC 6749 section 5.2 allows no more than ASCII without double quotes and backslashes. */
function describable(text: string): string {
  return plainText(text)
    .replaceAll(/[‘’]/g, "'")
    .replaceAll('…', '...')
    .replaceAll(/[^\x20-\x7e]/gu, '?')
}
