import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createDecisionIds } from '../../src/decision/decision-id.ts'
import { DECISION_ID } from '../support/answers.ts'

const NOW = Date.UTC(2026, 10, 24, 12)

describe('decision ids', () => {
  test('are UUIDv7 that tell the time', () => {
    const id = createDecisionIds(() => NOW)()

    assert.match(id, DECISION_ID)
    assert.equal(Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16), NOW)
  })

  test('rise from call to call, within one millisecond too, and repeat never', () => {
    let now = NOW
    const newId = createDecisionIds(() => now)
    const ids: string[] = []

    for (let index = 0; index < 20_000; index++) {
      if (index % 5_000 === 4_999) now++
      ids.push(newId())
    }

    assert.deepEqual(ids, ids.toSorted())
    assert.equal(new Set(ids).size, ids.length)
  })

  test('of two instances at the same moment differ', () => {
    const instances = Array.from({ length: 2 }, () => createDecisionIds(() => NOW))

    const ids = instances.flatMap((newId) => Array.from({ length: 1_000 }, newId))

    assert.equal(new Set(ids).size, 2_000)
  })

  test('stay UUIDs when the clock jumps back', () => {
    let now = NOW
    const newId = createDecisionIds(() => now)
    const first = newId()

    now -= 60_000

    assert.match(newId(), DECISION_ID)
    assert.notEqual(newId(), first)
  })
})
