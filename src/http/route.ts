import type { ZodType } from 'zod'
import type { Caller } from '../access/caller.ts'
import type { Permission } from '../access/permissions.ts'
import type { ErrorCode } from '../errors.ts'

/** What a handler gets to see of a request, taken apart and bounded. */
export type RouteRequest<Query = Readonly<Record<string, unknown>>, Body = unknown> = {
  readonly requestId: string
  /** When its headers were read, of `performance.now()`. */
  readonly arrivedAt: number
  readonly callerIp: string
  readonly userAgent: string | null
  /** Whoever holds the permission that the route asks for; nobody where it asks for none. */
  readonly caller: Caller
  /** The Authorization header as it was sent. */
  readonly authorization: string | undefined
  readonly params: Readonly<Record<string, string>>
  /** The parameters as their schemas read them; absent and empty ones are undefined. */
  readonly query: Query
  /** The etags of If-Match, of which the resource must have one; undefined where any will do. */
  readonly ifMatch: readonly string[] | undefined
  /** As its schema reads it; undefined where the route takes none. */
  readonly body: Body
  /** Aborted when the caller is gone before the answer; only where the route asks for more time. */
  readonly signal: AbortSignal | undefined
  /** Adds fields to the request's log line. */
  readonly note: (fields: Readonly<Record<string, string | null>>) => void
}

export type RouteAnswer = {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  /** A value that is sent as JSON; the text or bytes themselves where the headers give a Content-Type. */
  readonly body: unknown
}

/** A part of the API as its description groups it. */
export type RouteGroup =
  | 'Jobs'
  | 'OAuth'
  | 'Workload identities'
  | 'Guardrails'
  | 'Issuers'
  | 'Projects'
  | 'Roles'
  | 'Access decisions'
  | 'Decisions'
  | 'Signing keys'
  | 'Administration'
  | 'Operation'

/** One endpoint, with all that its description says of it. */
export type Route = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** `/v1/things/{id}:verb`. */
  readonly path: string
  readonly group: RouteGroup
  /** What it does, in one line. */
  readonly summary: string
  /** Its name for generated clients, where method and path do not give a good one. */
  readonly operationId?: string
  /** Who may call it; a permission: whoever holds that. */
  readonly access: 'public' | 'access_token' | Permission
  /** What its caller must hold besides, since the answer tells of it. */
  readonly alsoNeeds?: Permission
  /** The parameters it knows, any other is refused; 'ignored' where jobs' scripts and probes call it. */
  readonly query: Readonly<Record<string, ZodType>> | 'ignored'
  /** Absent where it has no fields: a body other than `{}` is refused, but for that of a GET, which is not read. */
  readonly body?: RouteBody
  /** What a 200 answers, for the API's description and the tests that hold it to its word. */
  readonly answer: ZodType
  /** The Content-Type of a 200 where it is not JSON. */
  readonly contentType?: string
  /** The refusals that do not follow from its method, access, path and body, or that carry details. */
  readonly refusals?: Readonly<Partial<Record<ErrorCode, RouteRefusal>>>
  /** It changes a resource that has an etag. */
  readonly honoursIfMatch?: true
  /** How long it may take, where that is more than other calls may: it compiles, and does not serve jobs. */
  readonly answerWithinMs?: number
  /** Whether a request is about the very token that its caller sends, who then needs no permission. */
  readonly isForItself?: (body: unknown, token: string) => boolean
  /** Its refusals are their message alone, as AuthZEN has it, and unsupported content is a bad request there. */
  readonly errorsAs?: 'text'
  /** Answers carry the request's own X-Request-Id, whatever it is. */
  readonly echoesRequestId?: true
  /** Its refusals are echoed unquoted by jobs' scripts, whatever stands in them. */
  readonly isEchoed?: true
  readonly handle: (request: RouteRequest) => Promise<RouteAnswer>
}

/** A refusal as the API's description has it. */
export type RouteRefusal = {
  /** When it is given. */
  readonly description: string
  /** The shape of its details; none are given where it is absent. */
  readonly details?: ZodType
  /** Bodies of such answers, by what they show. */
  readonly examples?: Readonly<Record<string, unknown>>
}

export type RouteBody<Body = unknown> = {
  readonly schema: ZodType<Body>
  readonly limit: BodyLimit
  /** It is a form and not JSON; those of its fields that may stand in it several times, each as a list. */
  readonly form?: { readonly repeatable: readonly string[] }
  /** The handler's concept reads it by this schema itself and has more to say of what does not fit. */
  readonly isReadByHandler?: true
}

/** Enough for every body that carries no Rego. */
export const SMALL_BODY = 32_768
/** For bodies that carry rules, Rego or tests. */
export const LARGE_BODY = 524_288

/** For a thousand identities in one body: 8 KiB each, of which one with a rule and its tests takes about two. */
export const BATCH_BODY = 8_388_608

export type BodyLimit = typeof SMALL_BODY | typeof LARGE_BODY | typeof BATCH_BODY

type Output<Schemas> =
  Schemas extends Readonly<Record<string, ZodType>>
    ? { readonly [Name in keyof Schemas]: Schemas[Name]['_zod']['output'] | undefined }
    : Readonly<Record<string, never>>

/** Whether a route asks for a permission, which an administrator has. */
export function isAdministration(access: Route['access']): access is Permission {
  return access !== 'public' && access !== 'access_token'
}

/** Whether a body may come to a route, but must say nothing. */
export function takesNoFields({ method, body }: Pick<Route, 'method' | 'body'>): boolean {
  return body === undefined && method !== 'GET'
}

/** A route whose handler sees its query and body with the types that their schemas give them. */
export function defineRoute<const Query extends Route['query'], Body = undefined>(
  route: Omit<Route, 'query' | 'body' | 'isForItself' | 'handle'> & {
    readonly query: Query
    readonly body?: RouteBody<Body>
    readonly isForItself?: (body: Body, token: string) => boolean
    readonly handle: (request: RouteRequest<Output<Query>, Body>) => Promise<RouteAnswer>
  },
): Route {
  // The server hands over what these very schemas gave.
  return route as unknown as Route
}
