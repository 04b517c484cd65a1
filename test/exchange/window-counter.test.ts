import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createWindowCounter } from '../../src/exchange/window-counter.ts'
import { createTestClock } from '../support/world.ts'

describe('a window', () => {
  test("begins with its key's first count and ends a minute later, however often is counted in it", () => {
    const clock = createTestClock()
    const counter = createWindowCounter(clock, 10)

    const counts = [counter.add('a'), counter.add('a'), counter.add('b')]
    clock.advance(59_999)
    const atTheEnd = [counter.add('a'), counter.countOf('b')]
    clock.advance(1)
    const afterwards = [counter.countOf('a'), counter.add('a'), counter.countOf('b')]

    assert.deepEqual(
      [counts, atTheEnd, afterwards],
      [
        [1, 2, 1],
        [3, 1],
        [0, 1, 0],
      ],
    )
  })

  test('tells in whole seconds when it ends, and that is when it does', () => {
    const clock = createTestClock()
    const counter = createWindowCounter(clock, 10)
    counter.add('a')

    const left = [0, 1, 998, 1, 58_999].map((ms) => {
      clock.advance(ms)
      return counter.secondsLeft('a')
    })
    clock.advance(1_000)

    assert.deepEqual(left, [60, 60, 60, 59, 1])
    assert.equal(counter.countOf('a'), 0)
    assert.equal(counter.secondsLeft('a'), 1)
  })

  test('ends when the clock is set back, so that nobody waits for longer than a minute', () => {
    const clock = createTestClock()
    const counter = createWindowCounter(clock, 10)
    counter.add('a')

    clock.advance(-3_600_000)

    assert.equal(counter.countOf('a'), 0)
    assert.equal(counter.add('a'), 1)
    assert.equal(counter.secondsLeft('a'), 60)
  })

  test('is forgotten where there are too many, the least recently counted first', () => {
    const counter = createWindowCounter(createTestClock(), 2)

    for (const key of ['a', 'b', 'a', 'c']) counter.add(key)

    assert.deepEqual(['a', 'b', 'c'].map(counter.countOf), [2, 0, 1])
  })
})
