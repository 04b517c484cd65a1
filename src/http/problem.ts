import { type ErrorCode, RequestError } from '../errors.ts'
import { oneLine } from '../exchange/plain-text.ts'
import type { Refusal } from '../exchange/refuse.ts'
import type { RouteAnswer } from './route.ts'

/** Each error's number (google.rpc.Code) and HTTP status. */
export const PROBLEMS = {
  invalid_argument: { code: 3, status: 400 },
  payload_too_large: { code: 3, status: 413 },
  unsupported_media_type: { code: 3, status: 415 },
  not_found: { code: 5, status: 404 },
  method_not_allowed: { code: 12, status: 405 },
  already_exists: { code: 6, status: 409 },
  permission_denied: { code: 7, status: 403 },
  resource_exhausted: { code: 8, status: 429 },
  failed_precondition: { code: 9, status: 400 },
  aborted: { code: 10, status: 409 },
  internal: { code: 13, status: 500 },
  unavailable: { code: 14, status: 503 },
  unauthenticated: { code: 16, status: 401 },
} as const satisfies Record<ErrorCode, { code: number; status: number }>

/** Long enough for a database to fail over or an issuer to answer again, short enough for a job to wait. */
const RETRY_AFTER_SECONDS = '5'

/** Another method would do: its answer names those. */
export class MethodNotAllowed extends RequestError {
  readonly allow: string

  constructor(methods: readonly string[]) {
    const allow = methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])).join(', ')
    super('method_not_allowed', `Only ${allow} may be used here.`)
    this.allow = allow
  }
}

type ErrorAnswer = RouteAnswer & {
  readonly status: number
  readonly body: { readonly code: number; readonly message: string; readonly details: readonly unknown[] }
}

/** The answer to a request that ended in an error; an unexpected one says nothing but the request's id. */
export function problemAnswer(error: unknown, requestId: string): ErrorAnswer {
  if (!(error instanceof RequestError)) {
    return errorAnswer('internal', `Something went wrong here; the request's id is ${requestId}.`, [])
  }
  const answer = errorAnswer(error.code, error.message, error.details)
  if (error instanceof MethodNotAllowed)
    return { ...answer, headers: { ...answer.headers, Allow: error.allow } }
  return answer
}

/** The same as AuthZEN has it: a text, and 400 for content that is no JSON. */
export function textProblemAnswer(error: unknown, requestId: string): RouteAnswer {
  const { status, headers, body } = problemAnswer(error, requestId)
  return {
    status: status === PROBLEMS.unsupported_media_type.status ? PROBLEMS.invalid_argument.status : status,
    headers: { ...headers, 'Content-Type': TEXT_TYPE },
    body: body.message,
  }
}

export const TEXT_TYPE = 'text/plain; charset=utf-8'

/** A refused exchange: which says when to come again where there were too many. */
export function refusalAnswer({ code, message, details, retryAfterSeconds }: Refusal): RouteAnswer {
  const answer = errorAnswer(code, message, details)
  if (retryAfterSeconds === undefined) return answer
  return { ...answer, headers: { ...answer.headers, 'Retry-After': String(retryAfterSeconds) } }
}

/** An error answer by its code. */
export function errorAnswer(code: ErrorCode, message: string, details: readonly unknown[]): ErrorAnswer {
  const { code: number, status } = PROBLEMS[code]
  // A message may name what the caller sent.
  return { status, headers: headersFor(code), body: { code: number, message: oneLine(message), details } }
}

function headersFor(code: ErrorCode): Readonly<Record<string, string>> {
  if (code === 'unavailable' || code === 'resource_exhausted') return { 'Retry-After': RETRY_AFTER_SECONDS }
  if (code === 'unauthenticated') return { 'WWW-Authenticate': 'Bearer' }
  return {}
}
