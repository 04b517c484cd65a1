import { Counter, Gauge, type Registry } from 'prom-client'
import type { Metrics } from './metrics.ts'

/** How a cache fares. */
export type CacheStats = { readonly hits: number; readonly misses: number; readonly entries: number }

/** What the parts of the service tell of themselves when they are asked. */
export type ObservedParts = {
  /** Absent where the database has no pool. */
  readonly connections?:
    | (() => { readonly total: number; readonly idle: number; readonly waiting: number })
    | undefined
  readonly caches: Readonly<Record<string, () => CacheStats>>
  readonly policies: () => {
    readonly workers: number
    readonly waiting: number
    readonly bytes: number
    readonly replacedWorkers: number
  }
  /** Milliseconds since the epoch. */
  readonly signingKey: () => { readonly createTime: number; readonly nextTime: number | undefined }
}

/** Adds the metrics that are read from the parts at each scrape, so that they cost nothing in between. */
export function observeParts({ registries }: Metrics, parts: ObservedParts): void {
  const { open, confined } = registries
  if (parts.connections !== undefined) observeConnections(open, parts.connections)
  observeCaches(confined, parts.caches)
  observePolicies(confined, parts.policies)
  new Gauge({
    name: 'claimgate_signing_key_create_timestamp_seconds',
    help: 'When the key that signs was made, in seconds since the epoch.',
    registers: [open],
    aggregator: 'max',
    collect() {
      this.set(parts.signingKey().createTime / 1000)
    },
  })
  new Gauge({
    name: 'claimgate_signing_key_next_timestamp_seconds',
    help: 'When the next signing key is due: published, or signing where it is published. Absent where none ever is.',
    registers: [open],
    aggregator: 'min',
    collect() {
      const { nextTime } = parts.signingKey()
      if (nextTime === undefined) this.remove()
      else this.set(nextTime / 1000)
    },
  })
}

function observeConnections(registry: Registry, read: NonNullable<ObservedParts['connections']>): void {
  new Gauge({
    name: 'claimgate_database_connections',
    help: 'Connections to PostgreSQL that are open, by whether a statement uses them.',
    labelNames: ['state'],
    registers: [registry],
    collect() {
      const { total, idle } = read()
      this.set({ state: 'idle' }, idle)
      this.set({ state: 'busy' }, total - idle)
    },
  })
  new Gauge({
    name: 'claimgate_database_requests_waiting',
    help: 'Statements that wait for a connection.',
    registers: [registry],
    collect() {
      this.set(read().waiting)
    },
  })
}

function observeCaches(registry: Registry, caches: ObservedParts['caches']): void {
  const totals = (name: string, help: string, of: (stats: CacheStats) => number) =>
    new Counter({
      name,
      help,
      labelNames: ['cache'],
      registers: [registry],
      collect() {
        this.reset()
        for (const [cache, read] of Object.entries(caches)) this.inc({ cache }, of(read()))
      },
    })
  totals('claimgate_cache_hits_total', 'What was asked of a cache and found there.', ({ hits }) => hits)
  totals('claimgate_cache_misses_total', 'What was asked of a cache and not there.', ({ misses }) => misses)
  new Gauge({
    name: 'claimgate_cache_entries',
    help: 'What a cache holds.',
    labelNames: ['cache'],
    registers: [registry],
    collect() {
      for (const [cache, read] of Object.entries(caches)) this.set({ cache }, read().entries)
    },
  })
}

function observePolicies(registry: Registry, read: ObservedParts['policies']): void {
  const gauge = (name: string, help: string, of: (stats: ReturnType<typeof read>) => number) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(of(read()))
      },
    })
  gauge('claimgate_policy_workers', 'Threads that evaluate policies.', ({ workers }) => workers)
  gauge('claimgate_policy_evaluations_waiting', 'Evaluations that run or wait.', ({ waiting }) => waiting)
  gauge('claimgate_policy_bytes', 'Memory that loaded policies take, as estimated.', ({ bytes }) => bytes)
  new Counter({
    name: 'claimgate_policy_worker_replacements_total',
    help: 'Threads that were stopped or died at a policy and were replaced.',
    registers: [registry],
    collect() {
      this.reset()
      this.inc(read().replacedWorkers)
    },
  })
}
