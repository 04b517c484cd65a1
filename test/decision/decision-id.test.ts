import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createDecisionIds, firstIdAt, timeOfId } from '../../src/decision/decision-id.ts'
import { DECISION_ID } from '../support/answers.ts'

const NOW = Date.UTC(2026, 10, 24, 12)

describe('decision ids', () => {
  test('are UUIDv7 that tell the time', () => {
    const id = createDecisionIds()(NOW)

    assert.match(id, DECISION_ID)
    assert.equal(Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16), NOW)
  })

  test('rise from call to call, within one millisecond too, and repeat never', () => {
    let now = NOW
    const newId = createDecisionIds()
    const ids: string[] = []

    for (let index = 0; index < 20_000; index++) {
      if (index % 5_000 === 4_999) now++
      ids.push(newId(now))
    }

    assert.deepEqual(ids, ids.toSorted())
    assert.equal(new Set(ids).size, ids.length)
  })

  test('of two instances at the same moment differ', () => {
    const instances = Array.from({ length: 2 }, () => createDecisionIds())

    const ids = instances.flatMap((newId) => Array.from({ length: 1_000 }, () => newId(NOW)))

    assert.equal(new Set(ids).size, 2_000)
  })

  test('stay UUIDs when the clock jumps back', () => {
    let now = NOW
    const newId = createDecisionIds()
    const first = newId(now)

    now -= 60_000

    assert.match(newId(now), DECISION_ID)
    assert.notEqual(newId(now), first)
  })

  test('lie between the first of their own millisecond and the first of the next', () => {
    const newId = createDecisionIds()
    for (const time of [0, 1, NOW, Date.UTC(9999, 11, 31, 23, 59, 59, 999)]) {
      const id = newId(time)

      assert.ok(firstIdAt(time) < id && id < firstIdAt(time + 1), id)
      assert.equal(timeOfId(id), time)
    }
    assert.equal(firstIdAt(Date.UTC(1969, 0)), firstIdAt(0))
  })
})
