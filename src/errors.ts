/** What went wrong, in the terms of google.rpc.Code plus the three HTTP states it has no name for. */
export type ErrorCode =
  | 'invalid_argument'
  | 'payload_too_large'
  | 'unsupported_media_type'
  | 'not_found'
  | 'method_not_allowed'
  | 'already_exists'
  | 'permission_denied'
  | 'resource_exhausted'
  | 'failed_precondition'
  | 'aborted'
  | 'internal'
  | 'unavailable'
  | 'unauthenticated'

/** A request that ends in an error answer: `message` is for the caller, `cause` only for the log. */
export class RequestError extends Error {
  readonly code: ErrorCode
  readonly details: readonly unknown[]

  constructor(
    code: ErrorCode,
    message: string,
    options: { details?: readonly unknown[]; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'RequestError'
    this.code = code
    this.details = options.details ?? []
  }
}

/** A request that names something that is wrong with it; the message begins with the field's path. */
export function invalidArgument(message: string, details: readonly unknown[] = []): RequestError {
  return new RequestError('invalid_argument', message, { details })
}

/** The same, where what is wrong with it is told apart from the field too. */
export class FieldError extends RequestError {
  readonly field: string
  readonly problem: string

  constructor(field: string, problem: string) {
    super('invalid_argument', `${field} ${problem}.`)
    this.name = 'FieldError'
    this.field = field
    this.problem = problem
  }
}

/** Something that we depend on does not answer; the caller may try again. */
export function unavailable(message: string, cause?: unknown): RequestError {
  return new RequestError('unavailable', message, { cause })
}
