import type { JsonValue } from '../json.ts'

/** What a handler gets to see of a request, taken apart and bounded. */
export type RouteRequest = {
  readonly requestId: string
  /** When its headers were read, of `performance.now()`. */
  readonly arrivedAt: number
  readonly callerIp: string
  readonly userAgent: string | null
  /** The Authorization header as it was sent. */
  readonly authorization: string | undefined
  readonly params: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, string>>
  /** The parsed JSON body; undefined where the route takes none. */
  readonly body: JsonValue | undefined
  /** Adds fields to the request's log line. */
  readonly note: (fields: Readonly<Record<string, string | null>>) => void
}

export type RouteAnswer = {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body: unknown
}

/**
 * One endpoint. `path`: `/v1/things/{id}:verb`; `access`: who may call it; `query`: the parameters it knows, any other
 * is refused ('ignored' where jobs' scripts call it); `bodyLimit` in bytes, absent where no body is read.
 */
export type Route = {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly path: string
  readonly access: 'public' | 'access_token' | 'administrator'
  readonly query: readonly string[] | 'ignored'
  readonly bodyLimit?: BodyLimit
  /** Its refusals are echoed unquoted by jobs' scripts, whatever stands in them. */
  readonly isEchoed?: true
  readonly handle: (request: RouteRequest) => Promise<RouteAnswer>
}

/** Enough for every body that carries no Rego. */
export const SMALL_BODY = 32_768
/** For bodies that carry rules, Rego or tests. */
export const LARGE_BODY = 524_288

export type BodyLimit = typeof SMALL_BODY | typeof LARGE_BODY
