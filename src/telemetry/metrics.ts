import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/**
 * Who reads: on a port that is open to everybody nothing may depend on which identity was asked for, or whoever can
 * read it and send a token would learn whether an identity exists.
 */
export type MetricsAudience = 'everybody' | 'administrator'

/** The metrics of one process as values, for another process to add up with those of its like. */
export type MetricsSnapshot = {
  readonly open: Awaited<ReturnType<Registry['getMetricsAsJSON']>>
  readonly confined: Awaited<ReturnType<Registry['getMetricsAsJSON']>>
}

/** Gives the text of the metrics in Prometheus' exposition format 0.0.4. */
export type ReadMetrics = (audience: MetricsAudience) => Promise<string>

/** What came of an exchange; `isDisclosed`: its caller was told the reason. */
export type ExchangeSeen = {
  readonly kind: string
  readonly outcome: string
  readonly reason: string
  readonly isDisclosed: boolean
}

export type Metrics = ReturnType<typeof createMetrics>

/** In seconds: from the quickest step, a tenth of a millisecond, to the longest that an answer may take. */
const SECONDS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 8,
]
/** Up to the recorder's largest batch. */
const BATCH_SIZES = [1, 2, 4, 8, 16, 32, 64]

/** What stands for a reason that the caller was not told. */
const UNDISCLOSED = 'undisclosed'
/** What stands for a route where none was found, and for a method that a route does not have. */
const NONE = 'none'

/** Makes the metrics of one process, all of them empty. Labels hold names of ours and of operators, nothing of callers. */
export function createMetrics(build: { readonly version: string }) {
  const open = new Registry()
  const confined = new Registry()
  // The processor time of one more request tells what ran for it.
  collectDefaultMetrics({ register: confined })
  const seconds = (name: string, help: string, registry: Registry) =>
    new Histogram({ name, help, buckets: SECONDS, registers: [registry] })

  new Gauge({
    name: 'claimgate_build_info',
    help: 'Always 1; the labels say which version runs on which Node.',
    labelNames: ['version', 'node'],
    registers: [open],
    aggregator: 'first',
  }).set({ version: build.version, node: process.version }, 1)

  const exchanges = new Counter({
    name: 'claimgate_exchanges_total',
    help: 'Exchanges answered, by the reason that the caller was told; outcome ERROR has no decision.',
    labelNames: ['kind', 'outcome', 'reason'],
    registers: [open],
  })
  const undisclosed = new Counter({
    name: 'claimgate_undisclosed_refusals_total',
    help: 'Refusals whose reason the caller was not told, by that reason.',
    labelNames: ['kind', 'outcome', 'reason'],
    registers: [confined],
  })
  const exchangeSeconds = new Histogram({
    name: 'claimgate_exchange_seconds',
    help: 'How long exchanges took, with what a refusal waits so that its time tells nothing.',
    labelNames: ['kind', 'outcome'],
    buckets: SECONDS,
    registers: [open],
  })
  const accessDecisions = new Counter({
    name: 'claimgate_access_decisions_total',
    help: 'Access decisions answered.',
    labelNames: ['outcome', 'reason'],
    registers: [confined],
  })
  const httpRequests = new Counter({
    name: 'claimgate_http_requests_total',
    help: "HTTP requests answered, by the route's template and the status.",
    labelNames: ['method', 'route', 'status'],
    registers: [open],
  })
  const httpSeconds = new Histogram({
    name: 'claimgate_http_request_seconds',
    help: 'From the headers of a request to its answer.',
    labelNames: ['method', 'route'],
    buckets: SECONDS,
    registers: [open],
  })
  const keyFetches = new Counter({
    name: 'claimgate_key_fetches_total',
    help: "Fetches of issuers' keys: ok, or why not.",
    labelNames: ['issuer', 'result'],
    registers: [open],
  })
  const keyFetchTime = new Gauge({
    name: 'claimgate_key_fetch_success_timestamp_seconds',
    help: "When an issuer's keys were last fetched, in seconds since the epoch.",
    labelNames: ['issuer'],
    registers: [open],
    aggregator: 'max',
  })
  const keyFetchSeconds = seconds(
    'claimgate_key_fetch_seconds',
    "How long fetching an issuer's keys took.",
    open,
  )
  const batchSize = new Histogram({
    name: 'claimgate_decision_batch_size',
    help: 'Decisions recorded by one statement.',
    buckets: BATCH_SIZES,
    registers: [confined],
  })

  return {
    registries: { open, confined },
    // A decision is made anew where its identity changed meanwhile, so even how often a step was taken tells of one.
    verifySeconds: seconds(
      'claimgate_token_verify_seconds',
      "Verifying a job's token, its keys included.",
      confined,
    ),
    evaluateSeconds: seconds(
      'claimgate_policy_evaluate_seconds',
      'Evaluating a policy, with waiting and loading it.',
      confined,
    ),
    recordSeconds: seconds(
      'claimgate_decision_record_seconds',
      'From a decision to its commit, with waiting for the statement before.',
      confined,
    ),
    signSeconds: seconds('claimgate_token_sign_seconds', 'Signing an access token.', open),

    countExchange({ kind, outcome, reason, isDisclosed }: ExchangeSeen, tookSeconds: number): void {
      // A policy that failed is answered like a stranger, so the outcome would tell as well.
      const told = isDisclosed ? { kind, outcome, reason } : { kind, outcome: 'DENIED', reason: UNDISCLOSED }
      exchanges.inc(told)
      exchangeSeconds.observe({ kind, outcome: told.outcome }, tookSeconds)
      if (!isDisclosed) undisclosed.inc({ kind, outcome, reason })
    },
    countAccess: (outcome: string, reason: string) => accessDecisions.inc({ outcome, reason }),
    countRequest(method: string | undefined, route: string | undefined, status: number, tookSeconds: number) {
      const labels = { method: method ?? NONE, route: route ?? NONE }
      httpRequests.inc({ ...labels, status })
      httpSeconds.observe(labels, tookSeconds)
    },
    countFetch(issuer: string, result: string, tookSeconds: number): void {
      keyFetches.inc({ issuer, result })
      keyFetchSeconds.observe(tookSeconds)
      if (result === 'ok') keyFetchTime.set({ issuer }, Date.now() / 1000)
    },
    countBatch: (size: number) => batchSize.observe(size),

    async read(audience: MetricsAudience): Promise<string> {
      const texts = audience === 'administrator' ? [open.metrics(), confined.metrics()] : [open.metrics()]
      return (await Promise.all(texts)).join('')
    },
    async snapshot(): Promise<MetricsSnapshot> {
      return { open: await open.getMetricsAsJSON(), confined: await confined.getMetricsAsJSON() }
    },
  }
}
