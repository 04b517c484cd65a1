/** What a span may say: names, ids and states of ours, nothing that a caller sent. */
export type SpanFacts = Readonly<Record<string, string | number | undefined>>

/** A request's span, from its headers to its answer. */
export type RequestSpan = {
  /** For the log. */
  readonly traceId: string | undefined
  /** Runs what belongs to it: spans that begin meanwhile become its children. */
  run<T>(work: () => Promise<T>): Promise<T>
  end(name: string, isFault: boolean, facts: SpanFacts): void
}

export type Tracing = {
  /** Runs a step as a span of the request (or step) that it is part of; a throw marks it as failed. */
  step<T>(name: string, work: () => Promise<T>, factsOf?: (result: T) => SpanFacts): Promise<T>
  /** `traceparent`: the caller's (W3C Trace Context), whose trace is then gone on with. */
  request(traceparent: string | undefined): RequestSpan
  /** Sends what is left, within so many milliseconds. */
  close(withinMs: number): Promise<void>
}

const NO_SPAN: RequestSpan = { traceId: undefined, run: (work) => work(), end: () => {} }

const NO_TRACING: Tracing = {
  step: (_, work) => work(),
  request: () => NO_SPAN,
  close: async () => {},
}

/** Sends traces to an OTLP endpoint; without one nothing is loaded, and nothing is done. */
export async function openTracing(endpoint: string | undefined, version: string): Promise<Tracing> {
  if (endpoint === undefined) return NO_TRACING
  const { startTracing } = await import('./otlp-tracing.ts')
  return startTracing(endpoint, version)
}
