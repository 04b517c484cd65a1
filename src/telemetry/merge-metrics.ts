import { AggregatorRegistry } from 'prom-client'
import type { MetricsAudience, MetricsSnapshot } from './metrics.ts'

type Values = MetricsSnapshot['open']

const NOTHING: MetricsSnapshot = { open: [], confined: [] }

/** The metrics of several processes added up, as text. */
export async function mergedText(
  snapshots: readonly MetricsSnapshot[],
  audience: MetricsAudience,
): Promise<string> {
  const { open, confined } = merge(snapshots)
  const texts = audience === 'administrator' ? [open.metrics(), confined.metrics()] : [open.metrics()]
  return (await Promise.all(texts)).join('')
}

/**
 * What of processes that are gone still counts: totals, which would otherwise seem to start anew and be taken for a
 * burst, but not what only a living process has.
 */
export async function mergedTotals(snapshots: readonly MetricsSnapshot[]): Promise<MetricsSnapshot> {
  const { open, confined } = merge(snapshots.map(totalsOf))
  return { open: await open.getMetricsAsJSON(), confined: await confined.getMetricsAsJSON() }
}

function merge(snapshots: readonly MetricsSnapshot[]) {
  const all = snapshots.length === 0 ? [NOTHING] : snapshots
  return {
    open: AggregatorRegistry.aggregate(all.map(({ open }) => [...open])),
    confined: AggregatorRegistry.aggregate(all.map(({ confined }) => [...confined])),
  }
}

function totalsOf({ open, confined }: MetricsSnapshot): MetricsSnapshot {
  const totals = (values: Values) => values.filter(({ type }) => String(type) !== 'gauge')
  return { open: totals(open), confined: totals(confined) }
}
