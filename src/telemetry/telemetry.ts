import type { Histogram } from 'prom-client'
import { RequestError } from '../errors.ts'
import { readVersion } from './build-info.ts'
import { createMetrics, type ExchangeSeen, type Metrics } from './metrics.ts'
import { openTracing, type SpanFacts, type Tracing } from './tracing.ts'

/** What is told of one request when its answer is sent. */
export type RequestSeen = {
  /** The route's own method and template; undefined where there is no such route. */
  readonly method: string | undefined
  readonly route: string | undefined
  readonly status: number
  /** What its handler noted for the log. */
  readonly notes: Readonly<Record<string, string | null>>
}

export type RequestWatch = {
  readonly traceId: string | undefined
  run<T>(work: () => Promise<T>): Promise<T>
  end(seen: RequestSeen): void
}

export type Telemetry = {
  readonly metrics: Metrics
  readonly tracing: Tracing
  /** Gives a function that does the same, timed and as a span. */
  step<Args extends readonly unknown[], Result>(
    name: 'verify' | 'evaluate' | 'record' | 'sign',
    work: (...args: Args) => Promise<Result>,
  ): (...args: Args) => Promise<Result>
  /** Counts and times a whole exchange; one that throws has no decision. */
  exchange<Result>(
    kind: string,
    work: () => Promise<Result>,
    seen: (result: Result) => Omit<ExchangeSeen, 'kind'>,
  ): Promise<Result>
  /** Counts and times a fetch of an issuer's keys; `codeOf` puts what it throws into one of few words. */
  keyFetch<Result>(
    issuerId: string,
    fetch: () => Promise<Result>,
    codeOf: (error: unknown) => string,
  ): Promise<Result>
  request(traceparent: string | undefined): RequestWatch
}

/** The notes of a handler that a span may carry: never an identity. */
const SPAN_NOTES = ['outcome', 'reason', 'decision']

/** Makes what watches the service from outside of its steps. `otlpEndpoint`: where traces go, if anywhere. */
export async function openTelemetry(otlpEndpoint: string | undefined): Promise<Telemetry> {
  const version = readVersion()
  const metrics = createMetrics({ version })
  const tracing = await openTracing(otlpEndpoint, version)
  const steps: Readonly<Record<string, Histogram>> = {
    verify: metrics.verifySeconds,
    evaluate: metrics.evaluateSeconds,
    record: metrics.recordSeconds,
    sign: metrics.signSeconds,
  }

  return {
    metrics,
    tracing,
    step(name, work) {
      const histogram = steps[name]
      return async (...args) => {
        const begin = performance.now()
        try {
          return await tracing.step(name, () => work(...args))
        } finally {
          histogram?.observe(secondsSince(begin))
        }
      }
    },
    async exchange(kind, work, seen) {
      const begin = performance.now()
      try {
        const result = await work()
        metrics.countExchange({ kind, ...seen(result) }, secondsSince(begin))
        return result
      } catch (error) {
        const reason = error instanceof RequestError ? error.code : 'internal'
        metrics.countExchange({ kind, outcome: 'ERROR', reason, isDisclosed: true }, secondsSince(begin))
        throw error
      }
    },
    keyFetch(issuerId, fetch, codeOf) {
      const begin = performance.now()
      return tracing.step(
        'fetch keys',
        async () => {
          try {
            const result = await fetch()
            metrics.countFetch(issuerId, 'ok', secondsSince(begin))
            return result
          } catch (error) {
            metrics.countFetch(issuerId, codeOf(error), secondsSince(begin))
            throw error
          }
        },
        () => ({ 'claimgate.issuer': issuerId }),
      )
    },
    request(traceparent) {
      const begin = performance.now()
      const span = tracing.request(traceparent)
      return {
        traceId: span.traceId,
        run: span.run,
        end(seen) {
          const { method, route, status } = seen
          metrics.countRequest(method, route, status, secondsSince(begin))
          span.end(method === undefined ? 'request' : `${method} ${route}`, status >= 500, factsOf(seen))
        },
      }
    },
  }
}

function factsOf({ method, route, status, notes }: RequestSeen): SpanFacts {
  const facts: Record<string, string | number | undefined> = {
    'http.request.method': method,
    'http.route': route,
    'http.response.status_code': status,
  }
  for (const name of SPAN_NOTES) facts[`claimgate.${name}`] = notes[name] ?? undefined
  return facts
}

function secondsSince(begin: number): number {
  return (performance.now() - begin) / 1000
}
