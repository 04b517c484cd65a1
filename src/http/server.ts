import { randomUUID } from 'node:crypto'
import { createServer, type Server, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import express, { type Express, type NextFunction, type Request, type Response } from 'express'
import type { RefusedAttempt } from '../change/record-refusals.ts'
import { invalidArgument, RequestError, unavailable } from '../errors.ts'
import { plainJson } from '../exchange/plain-text.ts'
import type { JsonValue } from '../json.ts'
import type { Log } from '../log.ts'
import { oauthProblemAnswer, speaksOAuth } from './oauth-error.ts'
import type { PermittedCallerDeps } from './permitted-caller.ts'
import { errorAnswer, MethodNotAllowed, problemAnswer, textProblemAnswer } from './problem.ts'
import {
  givenRequestId,
  readCallerIp,
  readRequest,
  readRequestId,
  readTraceparent,
  readWideRequestId,
} from './read-request.ts'
import { refusedAttempt } from './refused-attempt.ts'
import type { Route, RouteAnswer, RouteRequest } from './route.ts'

export type HttpDeps = {
  readonly routes: readonly Route[]
  readonly trustProxy: number | readonly string[]
  readonly callers: PermittedCallerDeps
  /** Keeps that an administrator was refused something; the answer waits for it. */
  readonly recordRefusal: (attempt: RefusedAttempt) => Promise<void>
  /** Whether this server is about to end, so that senders are told to use another connection. */
  readonly isDraining?: () => boolean
  /** Counts, times and traces requests; each from its headers on. */
  readonly watchRequest?: (traceparent: string | undefined) => RequestWatch
  readonly log: Log
}

type RequestWatch = {
  /** For the log, where the request is traced. */
  readonly traceId: string | undefined
  run<T>(work: () => Promise<T>): Promise<T>
  end(seen: {
    readonly method: string | undefined
    readonly route: string | undefined
    readonly status: number
    readonly notes: Readonly<Record<string, string | null>>
  }): void
}

const UNWATCHED: RequestWatch = { traceId: undefined, run: (work) => work(), end: () => {} }

/** A sender that is slower than this keeps a connection from somebody else. */
const HEADERS_TIMEOUT_MS = 10_000
const REQUEST_TIMEOUT_MS = 15_000
/** How often Node looks for those; its own 30 s would make the limits three times as long. */
const CONNECTION_CHECK_MS = 1_000
/** Some ten kilobytes each; beyond it new connections are refused rather than memory used up. */
const MAX_CONNECTIONS = 4_096
/** An answer that takes longer would find nobody waiting; the work behind it has shorter limits of its own. */
const ANSWER_WITHIN_MS = 8_000

/** The HTTP server with every route on it; it listens when its caller says so. */
export function createHttpServer(deps: HttpDeps): Server {
  const app = createExpressApp(deps)
  // What Node would refuse by itself goes without our headers and body: a missing Host, an unknown expectation.
  const options = { requireHostHeader: false, connectionsCheckingInterval: CONNECTION_CHECK_MS }
  const server = createServer(options, app)
  server.on('checkExpectation', app)
  server.headersTimeout = HEADERS_TIMEOUT_MS
  server.requestTimeout = REQUEST_TIMEOUT_MS
  server.maxConnections = MAX_CONNECTIONS
  server.on('clientError', answerUnparsable)
  return server
}

function createExpressApp(deps: HttpDeps): Express {
  const app = express()
  app.disable('x-powered-by')
  app.disable('etag')
  app.set('query parser', false)
  app.set('trust proxy', deps.trustProxy)
  app.set('case sensitive routing', true)
  app.set('strict routing', true)
  for (const [path, routes] of verbsFirst(Map.groupBy(deps.routes, (route) => route.path))) {
    app.all(expressPath(path), (request, response) =>
      serve(deps, request, response, () => pickRoute(routes, request)),
    )
  }
  app.use((request, response) => serve(deps, request, response, () => nothingHere()))
  app.use((error: unknown, request: Request, response: Response, _next: NextFunction) =>
    serve(deps, request, response, () => undecodablePath(error)),
  )
  return app
}

/** The path of a resource matches that of its custom verbs too, and the first that matches is taken. */
function verbsFirst<Value>(byPath: ReadonlyMap<string, Value>): readonly (readonly [string, Value])[] {
  const hasVerb = ([path]: readonly [string, Value]) => path.includes(':')
  return [...byPath].sort((one, other) => Number(hasVerb(other)) - Number(hasVerb(one)))
}

/** `/v1/x:verb` and `/v1/x/{id}` as Express writes them: unescaped, the colon would match /v1/xANYTHING. */
function expressPath(path: string): string {
  return path.replaceAll(':', '\\:').replaceAll(/\{(\w+)\}/g, ':$1')
}

/** One request, from its headers to its log line. Nothing that happens inside leaves it without an answer. */
async function serve(deps: HttpDeps, request: Request, response: Response, pick: () => Route): Promise<void> {
  const arrivedAt = performance.now()
  let requestId = readRequestId(request)
  const watch = deps.watchRequest?.(readTraceparent(request)) ?? UNWATCHED
  const logged: Logged = {}
  const traced = watch.traceId === undefined ? {} : { trace_id: watch.traceId }
  let route: Route | undefined
  const work = async (allow: (ms: number) => void) => {
    route = pick()
    logged.route = route.path
    const { answerWithinMs } = route
    if (route.echoesRequestId) requestId = readWideRequestId(request) ?? requestId
    if (answerWithinMs !== undefined) allow(answerWithinMs)
    const signal = answerWithinMs === undefined ? undefined : signalOfCaller(response)
    const note = (fields: Logged) => Object.assign(logged, fields)
    return handle(deps, route, request, { requestId, arrivedAt, signal, note })
  }
  const answer = await watch
    .run(() => answerInTime(work))
    .catch((error: unknown) => {
      logFault(deps.log, error, { requestId, ...traced })
      // Not the message, nor the path: a caller may have put its token there.
      if (error instanceof RequestError) logged.problem = error.code
      if (route?.errorsAs === 'text') return textProblemAnswer(error, requestId)
      const problem = speaksOAuth(request.path)
        ? oauthProblemAnswer(error, requestId, request.headers.authorization)
        : problemAnswer(error, requestId)
      return route?.isEchoed ? { ...problem, body: plainJson(problem.body as JsonValue) } : problem
    })
  const status = answer.status ?? 200
  const answeredId = route?.echoesRequestId ? givenRequestId(request) : undefined
  send(response, answer, { requestId: answeredId ?? requestId, isLast: deps.isDraining?.() === true })
  watch.end({ method: route?.method, route: route?.path, status, notes: logged })
  deps.log.info(
    {
      requestId,
      ...traced,
      method: request.method,
      ...logged,
      status,
      durationMs: Math.round((performance.now() - arrivedAt) * 100) / 100,
    },
    'request',
  )
}

/** Runs a route's handler. That an administrator is refused something is kept before it is answered. */
async function handle(
  { callers, recordRefusal }: HttpDeps,
  route: Route,
  request: Request,
  context: Pick<RouteRequest, 'requestId' | 'arrivedAt' | 'signal' | 'note'>,
): Promise<RouteAnswer> {
  let author: string | undefined
  const onCaller = (name: string) => {
    author = name
  }
  try {
    return await route.handle(await readRequest(route, request, { ...context, callers, onCaller }))
  } catch (error) {
    const attempt = refusedAttempt(route, request, error)
    if (author !== undefined && attempt !== undefined) {
      const { requestId } = context
      await recordRefusal({ ...attempt, author, requestId, callerIp: readCallerIp(request) })
    }
    throw error
  }
}

type Logged = Record<string, string | null>

/** `work` may take the time that it is allowed; others that know no better, what all may. */
async function answerInTime(
  work: (allow: (ms: number) => void) => Promise<RouteAnswer>,
): Promise<RouteAnswer> {
  let timer: NodeJS.Timeout | undefined
  const { promise: tooLate, reject } = Promise.withResolvers<never>()
  const allow = (ms: number) => {
    clearTimeout(timer)
    timer = setTimeout(() => reject(unavailable('The answer took too long; retry the job.')), ms)
  }
  allow(ANSWER_WITHIN_MS)
  try {
    return await Promise.race([work(allow), tooLate])
  } finally {
    clearTimeout(timer)
  }
}

/** Aborted when the connection is closed before the answer is sent. */
function signalOfCaller(response: Response): AbortSignal {
  const controller = new AbortController()
  response.once('close', () => {
    if (!response.writableFinished) controller.abort()
  })
  return controller.signal
}

function pickRoute(routes: readonly Route[], request: Request): Route {
  // A colon begins a custom verb; no name of a resource holds one, nor a control character.
  if (Object.values(request.params).some((value) => /[:\p{Cc}]/u.test(String(value)))) return nothingHere()
  const route = routes.find(({ method }) => method === (request.method === 'HEAD' ? 'GET' : request.method))
  if (route === undefined) throw new MethodNotAllowed(routes.map(({ method }) => method))
  return route
}

function nothingHere(): never {
  throw new RequestError('not_found', 'There is nothing at this path: /docs lists the calls.')
}

/** Express throws for a path that it cannot decode, before any route is looked at. */
function undecodablePath(error: unknown): never {
  throw (error as { status?: number }).status === 400 ? invalidArgument('The path is malformed.') : error
}

function logFault(log: Log, error: unknown, known: Readonly<Record<string, string>>): void {
  if (error instanceof RequestError && error.code !== 'unavailable') return
  const { message, stack, cause } = error as Error
  const isExpected = error instanceof RequestError
  log.error(
    {
      ...known,
      error: message,
      cause: cause === undefined ? null : String(cause),
      stack: isExpected ? null : stack,
    },
    'fault',
  )
}

const JSON_TYPE = 'application/json; charset=utf-8'
const ALWAYS = { 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' }

function send(
  response: Response,
  answer: RouteAnswer,
  { requestId, isLast }: { requestId: string; isLast: boolean },
): void {
  if (response.headersSent || response.destroyed) return
  const { 'Content-Type': type = JSON_TYPE, ...headers } = answer.headers ?? {}
  const body = type === JSON_TYPE ? JSON.stringify(answer.body) : (answer.body as string | Buffer)
  // Node's own way: Express's `send` looks for an etag and for freshness, which our answers do not have.
  response
    .writeHead(answer.status ?? 200, {
      ...ALWAYS,
      'X-Request-Id': requestId,
      ...(isLast && { Connection: 'close' }),
      ...headers,
      'Content-Type': type,
      'Content-Length': Buffer.byteLength(body),
    })
    // Beside a text Node writes headers in its encoding; what is not ASCII must leave as it came, in Latin-1.
    .end(isAscii(requestId) ? body : Buffer.from(body))
}

function isAscii(text: string): boolean {
  return /^[ -~]*$/.test(text)
}

/** What Node's parser refuses never becomes a request; it gets an answer of the same form. */
function answerUnparsable(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy()
  const status = UNPARSABLE[error.code ?? ''] ?? 400
  const { body } = errorAnswer('invalid_argument', `${STATUS_CODES[status] ?? 'Bad Request'}.`, [])
  const text = JSON.stringify(body)
  const headers = {
    ...ALWAYS,
    'X-Request-Id': randomUUID(),
    'Content-Type': JSON_TYPE,
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}Content-Length: ${Buffer.byteLength(text)}\r\n` +
      `Connection: close\r\n\r\n${text}`,
  )
}

const UNPARSABLE: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
}
