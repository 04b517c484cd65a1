import { randomUUID } from 'node:crypto'
import { isIP } from 'node:net'
import type { Request } from 'express'
import { z } from 'zod'
import type { Caller } from '../access/caller.ts'
import type { Permission } from '../access/permissions.ts'
import { invalidArgument } from '../errors.ts'
import { nearestName } from '../fields/nearest-name.ts'
import { parse, parseParameter } from './parse.ts'
import { type PermittedCallerDeps, permittedCaller } from './permitted-caller.ts'
import { readFormBody, readJsonBody, readJsonBodyIfAny } from './read-body.ts'
import {
  isAdministration,
  type Route,
  type RouteBody,
  type RouteRequest,
  SMALL_BODY,
  takesNoFields,
} from './route.ts'

const MAX_USER_AGENT = 255
/** Whoever calls what asks for no permission. */
const ANYBODY: Caller = { name: '', permissions: new Set() }

/** What a handler gets of a request; throws a `RequestError` where its caller may not ask this, or not so. */
export async function readRequest(
  route: Route,
  request: Request,
  context: {
    readonly requestId: string
    readonly arrivedAt: number
    readonly callers: PermittedCallerDeps
    /** Told who asks, before it is known whether they may. */
    readonly onCaller: (name: string) => void
    readonly signal: AbortSignal | undefined
    readonly note: RouteRequest['note']
  },
): Promise<RouteRequest> {
  for (const name of ['authorization', 'host', 'content-type', 'if-match'])
    refuseRepeatedHeader(request, name)
  // RFC 9112 section 3.2.
  if (request.headers.host === undefined && request.httpVersion === '1.1') {
    throw invalidArgument('The host header is missing.')
  }
  const { authorization } = request.headers
  const params = request.params as Record<string, string>
  const askedForItself = route.isForItself && (await readForItself(route, request, authorization))
  const caller =
    isAdministration(route.access) && askedForItself?.isForItself !== true
      ? await permittedCaller(context, permissionsFor(route.access, route), authorization, params)
      : ANYBODY
  if (askedForItself?.problem !== undefined) throw askedForItself.problem
  return {
    requestId: context.requestId,
    arrivedAt: context.arrivedAt,
    callerIp: readCallerIp(request),
    userAgent: request.headers['user-agent']?.slice(0, MAX_USER_AGENT) ?? null,
    caller,
    authorization,
    params,
    query: readQuery(route, request),
    ifMatch: readIfMatch(route, request),
    body: askedForItself?.body ?? (await readBodyOf(route, request)),
    signal: context.signal,
    note: context.note,
  }
}

function permissionsFor(access: Permission, { alsoNeeds }: Route): readonly Permission[] {
  return alsoNeeds === undefined ? [access] : [access, alsoNeeds]
}

/** What a proxy in front forwards as the caller's address is recorded, so it has to be one. */
export function readCallerIp(request: Request): string {
  const address = request.ip ?? ''
  // What may follow a percent sign (RFC 4007) is any text.
  return isIP(address) > 0 && !address.includes('%') ? address : (request.socket.remoteAddress ?? '')
}

/** Node keeps the first of repeated headers in silence, a proxy in front may have believed the second. */
function refuseRepeatedHeader(request: Request, name: string): void {
  const count = request.headersDistinct[name]?.length ?? 0
  if (count > 1) throw invalidArgument(`The ${name} header is given ${count} times.`)
}

function readQuery(route: Route, request: Request): Readonly<Record<string, unknown>> {
  if (route.query === 'ignored') return {}
  const given = new URLSearchParams(request.originalUrl.split('?').slice(1).join('?'))
  const query: Record<string, unknown> = {}
  for (const [name, value] of given) {
    const schema = Object.hasOwn(route.query, name) ? route.query[name] : undefined
    if (schema === undefined) throw invalidArgument(unknownParameter(name, Object.keys(route.query)))
    if (/\p{Cc}/u.test(value)) throw invalidArgument(`The parameter '${name}' has a control character.`)
    if (Object.hasOwn(query, name)) throw invalidArgument(`The parameter '${name}' is given twice.`)
    query[name] = value === '' ? undefined : parseParameter(name, schema, value)
  }
  return query
}

function unknownParameter(name: string, names: readonly string[]): string {
  const near = nearestName(name, names)
  return `The parameter '${name}' is not supported here${near === undefined ? '' : `: the nearest is ${near}`}.`
}

/** RFC 9110 section 13.1.1, by strong comparison: a weak etag is nobody's. */
function readIfMatch(route: Route, request: Request): readonly string[] | undefined {
  const header = request.headers['if-match']
  if (header === undefined || !isAdministration(route.access)) return undefined
  if (route.honoursIfMatch === undefined) throw invalidArgument('If-Match is not supported here.')
  if (header.trim() === '*') return undefined
  const etags = header.split(',').map((part) => /^\s*(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*$/.exec(part))
  return etags.flatMap((match) => {
    if (match === null) throw invalidArgument('If-Match must be etags in double quotes, as in "3", or *.')
    const [, weak, etag = ''] = match
    return weak === undefined ? [etag] : []
  })
}

/** Who needs no permission shows in the body; what is wrong with that is told to those alone who may ask at all. */
async function readForItself(
  { body, isForItself }: Pick<Route, 'body' | 'isForItself'>,
  request: Request,
  authorization: string | undefined,
) {
  try {
    const read = body && (await readBody(body, request))
    const [, token] = /^Bearer +(\S+)$/i.exec(authorization ?? '') ?? []
    return { body: read, isForItself: token !== undefined && isForItself?.(read, token) === true }
  } catch (problem) {
    return { body: undefined, isForItself: false, problem }
  }
}

async function readBodyOf(route: Route, request: Request): Promise<unknown> {
  if (route.body !== undefined) return readBody(route.body, request)
  if (takesNoFields(route)) await refuseFields(route, request)
  return undefined
}

const NO_FIELDS = z.strictObject({})

/** What is written in a body that nobody reads is meant, most often what is a parameter of the query. */
async function refuseFields({ query }: Route, request: Request): Promise<void> {
  const body = await readJsonBodyIfAny(request, SMALL_BODY)
  parse(NO_FIELDS, body, ([name]) =>
    query !== 'ignored' && Object.hasOwn(query, String(name))
      ? `is not a field here: write it in the query, ?${String(name)}=`
      : undefined,
  )
}

async function readBody(
  { schema, limit, form, isReadByHandler }: RouteBody,
  request: Request,
): Promise<unknown> {
  const body = form ? await readFormBody(request, limit, form.repeatable) : await readJsonBody(request, limit)
  return isReadByHandler ? body : parse(schema, body)
}

/** The caller's own id where it is one line that can be read and stored, for routes whose callers choose it freely. */
export function readWideRequestId(request: Request): string | undefined {
  const given = givenRequestId(request)
  return given !== undefined && /^[ -~]{1,128}$/.test(given) ? given : undefined
}

/** The caller's own id as it was sent, where it sent one. */
export function givenRequestId(request: Request): string | undefined {
  const given = request.headers['x-request-id']
  return typeof given === 'string' && given !== '' ? given : undefined
}

/** The caller's own id where it is harmless to repeat, else a new one. */
export function readRequestId(request: Request): string {
  const given = request.headers['x-request-id']
  return typeof given === 'string' && /^[A-Za-z0-9._-]{1,128}$/.test(given) ? given : randomUUID()
}

/** W3C Trace Context; a request that gives it twice gives none. */
export function readTraceparent(request: Request): string | undefined {
  const given = request.headers.traceparent
  return typeof given === 'string' ? given : undefined
}
