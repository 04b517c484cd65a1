import { AsyncLocalStorage } from 'node:async_hooks'
import {
  type Context,
  defaultTextMapGetter,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources'
import {
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import type { SpanFacts, Tracing } from './tracing.ts'

const SERVICE_NAME = 'claimgate'
/** Spans of some two hundred exchanges; beyond it they are dropped rather than memory used up. */
const MAX_WAITING_SPANS = 2_048
/** A collector that takes longer loses what it was sent; exchanges do not wait for it. */
const EXPORT_WITHIN_MS = 5_000
const EXPORT_EVERY_MS = 1_000

/** Sends spans over OTLP/HTTP (JSON) to `endpoint` + `/v1/traces`. `OTEL_SERVICE_NAME` and the like are the SDK's. */
export function startTracing(endpoint: string, version: string): Tracing {
  const exporter = new OTLPTraceExporter({
    url: `${endpoint.replace(/\/$/, '')}/v1/traces`,
    timeoutMillis: EXPORT_WITHIN_MS,
  })
  const processor = new BatchSpanProcessor({
    exporter,
    maxQueueSize: MAX_WAITING_SPANS,
    scheduledDelayMillis: EXPORT_EVERY_MS,
    exportTimeoutMillis: EXPORT_WITHIN_MS,
  })
  const named = resourceFromAttributes({ 'service.name': SERVICE_NAME, 'service.version': version })
  const provider = new TracerProvider({
    resource: named.merge(detectResources({ detectors: [envDetector] })),
    sampler: new ParentBasedSampler({ root: new AlwaysOnSampler() }),
    spanProcessors: [processor],
  })
  const tracer = provider.getTracer(SERVICE_NAME, version)
  const propagator = new W3CTraceContextPropagator()
  const current = new AsyncLocalStorage<Context>()

  return {
    async step(name, work, factsOf) {
      const parent = current.getStore() ?? ROOT_CONTEXT
      const span = tracer.startSpan(name, {}, parent)
      try {
        const result = await current.run(trace.setSpan(parent, span), work)
        if (factsOf !== undefined) setFacts(span, factsOf(result))
        return result
      } catch (error) {
        // Not the error itself: what a database or an issuer said is for the log.
        span.setStatus({ code: SpanStatusCode.ERROR })
        throw error
      } finally {
        span.end()
      }
    },
    request(traceparent) {
      const carrier = traceparent === undefined ? {} : { traceparent }
      const parent = propagator.extract(ROOT_CONTEXT, carrier, defaultTextMapGetter)
      const span = tracer.startSpan('request', { kind: SpanKind.SERVER }, parent)
      return {
        traceId: span.spanContext().traceId,
        run: (work) => current.run(trace.setSpan(parent, span), work),
        end(name, isFault, facts) {
          span.updateName(name)
          setFacts(span, facts)
          if (isFault) span.setStatus({ code: SpanStatusCode.ERROR })
          span.end()
        },
      }
    },
    async close(withinMs) {
      const late = Promise.withResolvers<void>()
      const timer = setTimeout(late.resolve, withinMs)
      await Promise.race([provider.shutdown().catch(() => undefined), late.promise])
      clearTimeout(timer)
    },
  }
}

function setFacts(span: Span, facts: SpanFacts): void {
  for (const [name, value] of Object.entries(facts)) if (value !== undefined) span.setAttribute(name, value)
}
