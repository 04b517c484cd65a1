import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evenOut } from '../../src/exchange/even-out.ts'

test('an answer leaves a whole number of steps after its request came, however long the work took', async () => {
  for (const workedMs of [0, 3, 99, 101, 240]) {
    const arrivedAt = performance.now() - workedMs

    await evenOut(arrivedAt)

    const tookMs = performance.now() - arrivedAt
    assert.ok(tookMs >= (Math.floor(workedMs / 100) + 1) * 100 - 0.001, `${workedMs} ms became ${tookMs} ms`)
  }
})

test('an answer does not leave early either where the event loop was busy when its wait began', async () => {
  for (let n = 0; n < 5; n++) {
    const arrivedAt = performance.now()
    while (performance.now() - arrivedAt < 1 + (n % 5)) {
      // Timers are set by the loop's own, now outdated, clock.
    }

    await evenOut(arrivedAt)

    const tookMs = performance.now() - arrivedAt
    assert.ok(tookMs >= 100 - 0.001, `${tookMs} ms`)
  }
})
