import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evenOut } from '../../src/exchange/even-out.ts'

test('an answer leaves a whole number of steps after its request came, however long the work took', async () => {
  for (const workedMs of [0, 3, 24, 26, 60]) {
    const arrivedAt = performance.now() - workedMs

    await evenOut(arrivedAt)

    const tookMs = performance.now() - arrivedAt
    assert.ok(tookMs >= (Math.floor(workedMs / 25) + 1) * 25 - 1, `${workedMs} ms became ${tookMs} ms`)
  }
})
