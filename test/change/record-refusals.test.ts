import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { RefusedRow } from '../../src/change/change-store.ts'
import { createRefusalRecorder, type RefusedAttempt } from '../../src/change/record-refusals.ts'
import { createDecisionIds } from '../../src/decision/decision-id.ts'
import { createWindowCounter } from '../../src/exchange/window-counter.ts'
import { createLog } from '../../src/log.ts'
import { createTestClock } from '../support/world.ts'

const ATTEMPT: RefusedAttempt = {
  author: 'workloadIdentities/ci@workload.example.com',
  verb: 'UPDATE',
  resource: 'projects/web',
  code: 7,
  message: 'This needs a permission.',
  requestId: 'first',
  callerIp: '203.0.113.9',
}

/** A recorder that inserts into a list, unless `fail` says how. */
function startRecorder() {
  const clock = createTestClock()
  const rows: RefusedRow[] = []
  const database = { fail: undefined as Error | undefined }
  const recorder = createRefusalRecorder({
    clock,
    log: createLog('silent'),
    newId: createDecisionIds(),
    countInMinute: createWindowCounter(clock, 10_000).add,
    async insertRefusals(given) {
      if (database.fail) throw database.fail
      rows.push(...given)
    },
  })
  const recordTimes = async (times: number, more: Partial<RefusedAttempt> = {}) => {
    for (let n = 0; n < times; n++) await recorder.record({ ...ATTEMPT, ...more })
  }
  return { clock, rows, database, recorder, recordTimes }
}

describe('refused attempts', () => {
  test('have thirty rows a minute for each author, and others are not held to that', async () => {
    const { rows, recordTimes } = startRecorder()

    await recordTimes(100)
    await recordTimes(1, { author: 'adminTokens/other' })

    assert.deepEqual(
      Map.groupBy(rows, ({ author }) => author)
        .values()
        .map((own) => own.length)
        .toArray(),
      [30, 1],
    )
  })

  test('beyond that are counted by author, verb and code, and shown by the first when the minute is over', async () => {
    const { clock, rows, recorder, recordTimes } = startRecorder()
    await recordTimes(30)
    await recordTimes(1, { requestId: 'counted first' })
    await recordTimes(6)
    await recordTimes(2, { verb: 'DELETE' })

    clock.advance(59_999)
    await recorder.flush()
    const before = rows.length
    clock.advance(1)
    await recorder.flush()

    assert.equal(before, 30)
    assert.deepEqual(
      rows.slice(30).map(({ id: _id, ...row }) => row),
      [
        { ...ATTEMPT, requestId: 'counted first', count: 7, createTime: clock() },
        { ...ATTEMPT, verb: 'DELETE', count: 2, createTime: clock() },
      ],
    )
  })

  test('are a thousand rows a minute of all authors together, and as many counts, whoever they are', async () => {
    const { clock, rows, recorder } = startRecorder()

    for (let n = 0; n < 2_100; n++) await recorder.record({ ...ATTEMPT, author: `adminTokens/a${n}` })
    clock.advance(60_000)
    await recorder.flush()

    assert.ok(rows.length <= 2_001)
    assert.equal(
      rows.reduce((sum, { count }) => sum + count, 0),
      2_100,
    )
  })

  test('that cannot be written are an error, and none of their counts is lost', async () => {
    const { clock, rows, database, recorder, recordTimes } = startRecorder()
    await recordTimes(32)

    database.fail = new Error('down')
    clock.advance(60_000)
    await assert.rejects(() => recorder.record(ATTEMPT), /down/)
    await recorder.flush()
    const down = rows.length
    database.fail = undefined
    await recorder.flush()

    assert.equal(down, 30)
    assert.deepEqual(
      rows.slice(30).map(({ count }) => count),
      [2],
    )
  })

  test('that are only counted when the service ends are written then', async () => {
    const { rows, recorder, recordTimes } = startRecorder()
    await recordTimes(35)

    await recorder[Symbol.asyncDispose]()

    assert.equal(rows.at(-1)?.count, 5)
  })
})
