import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import { observeParts } from '../../src/telemetry/observe-parts.ts'
import { observeWorkers } from '../../src/telemetry/observe-workers.ts'
import { readPage } from './code-blocks.ts'

const ROW = /^\| `(claimgate_\w+)`( †)? \|([^|]*)\|/gm

/** Every metric there can be, with its labels and whether it is for administrators alone. */
async function registered() {
  const metrics = createMetrics({ version: '0' })
  observeParts(metrics, {
    connections: () => ({ total: 0, idle: 0, waiting: 0 }),
    caches: {},
    policies: () => ({ workers: 0, waiting: 0, bytes: 0, replacedWorkers: 0 }),
    signingKey: () => ({ createTime: 0, nextTime: undefined }),
  })
  const workers = await observeWorkers(() => ({ running: 0, restarts: 0 })).snapshot()
  const { open, confined } = metrics.registries
  const of = (registry: typeof open, isConfined: boolean) =>
    registry.getMetricsAsArray().map((metric) => {
      const { name, labelNames = [] } = metric as unknown as { name: string; labelNames?: readonly string[] }
      return { name, labels: labelNames.toSorted(), isConfined }
    })
  return [
    ...of(open, false),
    ...of(confined, true),
    ...workers.open.map(({ name }) => ({ name, labels: [], isConfined: false })),
  ].filter(({ name }) => name.startsWith('claimgate_'))
}

test('the page of metrics lists every metric with its labels and its readers, and no other', async () => {
  const documented = [...readPage('docs/metrics.md').matchAll(ROW)].map(
    ([, name = '', mark, labels = '']) => ({
      name,
      labels: [...labels.matchAll(/`(\w+)`/g)].map(([, label = '']) => label).toSorted(),
      isConfined: mark !== undefined,
    }),
  )

  const byName = (a: { name: string }, b: { name: string }) => a.name.localeCompare(b.name)
  assert.deepEqual(documented.toSorted(byName), (await registered()).toSorted(byName))
})

test('every metric that an alarm names is there', async () => {
  const [, alarms = ''] = readPage('docs/metrics.md').split('## What to raise')
  const names = new Set((await registered()).map(({ name }) => name))

  const named = [...alarms.matchAll(/claimgate_\w+/g)].map(([name]) =>
    name.replace(/_(bucket|sum|count)$/, ''),
  )

  assert.ok(named.length > 8)
  assert.deepEqual(
    named.filter((name) => !names.has(name)),
    [],
  )
})
