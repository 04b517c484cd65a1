import { Counter, Gauge, Registry } from 'prom-client'
import type { MetricsSnapshot } from './metrics.ts'

/** The metrics of the process that starts the others. */
export function observeWorkers(stats: () => { readonly running: number; readonly restarts: number }): {
  snapshot(): Promise<MetricsSnapshot>
} {
  const registry = new Registry()
  new Gauge({
    name: 'claimgate_workers',
    help: 'Server processes that listen; only where WORKERS asks for several.',
    registers: [registry],
    collect() {
      this.set(stats().running)
    },
  })
  new Counter({
    name: 'claimgate_worker_restarts_total',
    help: 'Server processes that were started in the place of one that died; only where WORKERS asks for several.',
    registers: [registry],
    collect() {
      this.reset()
      this.inc(stats().restarts)
    },
  })
  return { snapshot: async () => ({ open: await registry.getMetricsAsJSON(), confined: [] }) }
}
