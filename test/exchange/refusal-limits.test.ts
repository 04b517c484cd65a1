import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createRefusalLimits, type RefusalLimits } from '../../src/exchange/refusal-limits.ts'
import type { RefusalOrigin } from '../../src/exchange/refusal-origin.ts'
import { createTestClock } from '../support/world.ts'

const from = (callerIp: string): RefusalOrigin => ({
  isVerified: false,
  callerIp,
  issuerUrl: null,
  claims: null,
})
const of = (project: string, issuerUrl = 'https://gitlab.example.com'): RefusalOrigin => ({
  isVerified: true,
  callerIp: null,
  issuerUrl,
  claims: `{"project_id":"${project}"}`,
})

/** What becomes of this many more: rows they get, how many are told of too many, and for how long. */
function counted(limits: RefusalLimits, origin: RefusalOrigin, times: number, isFault = false) {
  const rooms = Array.from({ length: times }, () => limits.count(origin, isFault))
  const waits = rooms.flatMap(({ retryAfterSeconds }) => retryAfterSeconds ?? [])
  return { rows: rooms.filter(({ keepsRow }) => keepsRow).length, tooMany: waits.length, wait: waits[0] }
}

describe('of tokens that did not verify', () => {
  test('ten of one address have rows in a minute, and 120 are answered with the reason', () => {
    const clock = createTestClock()
    const limits = createRefusalLimits(clock)

    const first = counted(limits, from('198.51.100.1'), 120)
    clock.advance(17_500)
    const beyond = counted(limits, from('198.51.100.1'), 30)
    const other = counted(limits, from('198.51.100.2'), 1)
    clock.advance(42_500)
    const next = counted(limits, from('198.51.100.1'), 1)

    assert.deepEqual(first, { rows: 10, tooMany: 0, wait: undefined })
    assert.deepEqual(beyond, { rows: 0, tooMany: 30, wait: 43 })
    assert.deepEqual([other.rows, other.tooMany], [1, 0])
    assert.deepEqual([next.rows, next.tooMany], [1, 0])
  })

  test('a thousand have rows in a minute, from however many addresses they come', () => {
    const limits = createRefusalLimits(createTestClock())

    const addresses = Array.from({ length: 300 }, (_, n) => counted(limits, from(`2001:db8:${n}::/64`), 10))

    assert.equal(
      addresses.reduce((sum, { rows }) => sum + rows, 0),
      1_000,
    )
    assert.ok(addresses.every(({ tooMany }) => tooMany === 0))
  })

  test("an issuer's outage is nobody's fault: only its rows are limited, and it brings no other over the limit", () => {
    const limits = createRefusalLimits(createTestClock())

    const outage = counted(limits, from('198.51.100.1'), 500, true)
    const others = counted(limits, from('198.51.100.1'), 120)

    assert.deepEqual(outage, { rows: 10, tooMany: 0, wait: undefined })
    assert.equal(others.tooMany, 0)
  })
})

describe('of verified tokens', () => {
  test('300 of one project and issuer are answered and have rows in a minute, further ones neither', () => {
    const clock = createTestClock()
    const limits = createRefusalLimits(clock)

    const first = counted(limits, of('20'), 300)
    clock.advance(1_000)
    const beyond = counted(limits, of('20'), 5)
    const others = [counted(limits, of('21'), 1), counted(limits, of('20', 'https://other.example'), 1)]

    assert.deepEqual(first, { rows: 300, tooMany: 0, wait: undefined })
    assert.deepEqual(beyond, { rows: 0, tooMany: 5, wait: 59 })
    assert.deepEqual(
      others.map(({ rows, tooMany }) => [rows, tooMany]),
      [
        [1, 0],
        [1, 0],
      ],
    )
  })

  test('to look counts nothing', () => {
    const limits = createRefusalLimits(createTestClock())
    counted(limits, of('20'), 299)

    const looks = [limits.look(of('20')), limits.look(of('20'))]
    counted(limits, of('20'), 1)
    const after = limits.look(of('20'))

    assert.deepEqual(looks, Array(2).fill({ keepsRow: true, retryAfterSeconds: undefined }))
    assert.deepEqual(after, { keepsRow: false, retryAfterSeconds: 60 })
  })
})
