import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import {
  type Attempt,
  type AttemptOrigin,
  type AttemptSummary,
  createAttemptSummaries,
} from '../../src/decision/attempt-summaries.ts'
import { createDecisionIds } from '../../src/decision/decision-id.ts'
import { createDecisionStore } from '../../src/decision/decision-store.ts'
import { createLog } from '../../src/log.ts'
import { openTestDatabase, type TestDatabase } from '../db/test-database.ts'
import { createTestClock, DATABASES } from '../support/world.ts'

const BAD: Attempt = { kind: 'EXCHANGE', outcome: 'DENIED', reason: 'token_signature' }
const OLD: Attempt = { kind: 'EXCHANGE', outcome: 'DENIED', reason: 'token_expired' }
const DOWN: Attempt = { kind: 'DRY_RUN', outcome: 'FAILED', reason: 'issuer_unavailable' }
const from = (callerIp: string): AttemptOrigin => ({ callerIp, issuerUrl: null, claims: null })

/** Summaries that are inserted into a list, unless `fail` says how. */
function startSummaries() {
  const clock = createTestClock()
  const rows: AttemptSummary[] = []
  const inserts: (readonly AttemptSummary[])[] = []
  const database = { fail: undefined as Error | undefined }
  const summaries = createAttemptSummaries({
    clock,
    log: createLog('silent'),
    newDecisionId: createDecisionIds(),
    async insert(given) {
      inserts.push(given)
      if (database.fail) throw database.fail
      rows.push(...given)
    },
  })
  const countTimes = (times: number, callerIp: string, attempt = BAD) => {
    for (let n = 0; n < times; n++) summaries.count(from(callerIp), attempt)
  }
  const counts = () => rows.map(({ callerIp, count }) => [callerIp, count])
  return { clock, rows, inserts, database, summaries, countTimes, counts }
}

describe('attempts without a row of their own', () => {
  test('make one row for each address when their minute is over', async () => {
    const { clock, rows, summaries, countTimes } = startSummaries()
    countTimes(990, '198.51.100.1')
    countTimes(1, '198.51.100.2')

    clock.advance(59_999)
    await summaries.flush()
    const before = rows.length
    clock.advance(1)
    await summaries.flush()

    assert.equal(before, 0)
    assert.deepEqual(
      rows.map(({ id: _id, ...row }) => row),
      [
        { ...from('198.51.100.1'), ...BAD, decideTime: clock(), count: 990 },
        { ...from('198.51.100.2'), ...BAD, decideTime: clock(), count: 1 },
      ],
    )
    await summaries[Symbol.asyncDispose]()
  })

  test('that come after the minute are counted in the next one, and make the row of the last be written', async () => {
    const { clock, countTimes, counts, summaries } = startSummaries()
    countTimes(3, '198.51.100.1')
    clock.advance(60_000)

    countTimes(2, '198.51.100.1')
    await summaries.flush()
    const first = counts()
    await summaries[Symbol.asyncDispose]()

    assert.deepEqual(first, [['198.51.100.1', 3]])
    assert.deepEqual(counts(), [
      ['198.51.100.1', 3],
      ['198.51.100.1', 2],
    ])
  })

  test('are told by the reason of most of them, those of another kind or outcome in a row of their own', async () => {
    const { rows, countTimes, summaries } = startSummaries()
    countTimes(2, '198.51.100.1', BAD)
    countTimes(3, '198.51.100.1', OLD)
    countTimes(1, '198.51.100.1', DOWN)
    countTimes(1, '198.51.100.1', { ...BAD, kind: 'DRY_RUN' })

    await summaries[Symbol.asyncDispose]()

    assert.deepEqual(
      rows.map(({ kind, outcome, reason, count }) => ({ kind, outcome, reason, count })),
      [
        { ...OLD, count: 5 },
        { ...DOWN, count: 1 },
        { ...BAD, kind: 'DRY_RUN', count: 1 },
      ],
    )
  })

  test('share one row beyond a thousand addresses, and none is lost', async () => {
    const { rows, countTimes, summaries } = startSummaries()
    for (let n = 0; n < 3_000; n++) countTimes(2, `2001:db8:0:${n.toString(16)}::/64`)

    await summaries[Symbol.asyncDispose]()

    assert.equal(rows.length, 1_001)
    assert.deepEqual(
      rows.filter(({ callerIp }) => callerIp === null).map(({ count }) => count),
      [4_000],
    )
    assert.equal(
      rows.reduce((sum, { count }) => sum + count, 0),
      6_000,
    )
  })

  test('of two outcomes share one row of each beyond a thousand rows', async () => {
    const { rows, countTimes, summaries } = startSummaries()
    for (let n = 0; n < 1_000; n++) {
      countTimes(2, `2001:db8:0:${n.toString(16)}::/64`)
      countTimes(3, `2001:db8:0:${n.toString(16)}::/64`, DOWN)
    }

    await summaries[Symbol.asyncDispose]()

    assert.equal(rows.length, 1_002)
    assert.deepEqual(
      rows.slice(1_000).map(({ callerIp, outcome, count }) => [callerIp, outcome, count]),
      [
        [null, 'DENIED', 1_000],
        [null, 'FAILED', 1_500],
      ],
    )
  })

  test('are written when the service ends, however short it ran', async () => {
    const { countTimes, counts, summaries } = startSummaries()
    countTimes(4, '198.51.100.1')

    await summaries[Symbol.asyncDispose]()

    assert.deepEqual(counts(), [['198.51.100.1', 4]])
  })

  test('wait for a database that fails, under the same ids, while others are counted in one further minute', async () => {
    const { clock, inserts, database, countTimes, counts, summaries } = startSummaries()
    database.fail = new Error('the database does not answer')
    countTimes(3, '198.51.100.1')
    for (let minute = 0; minute < 5; minute++) {
      clock.advance(60_000)
      await summaries.flush()
      countTimes(2, '198.51.100.1')
    }
    database.fail = undefined

    await summaries.flush()

    assert.deepEqual(counts(), [
      ['198.51.100.1', 3],
      ['198.51.100.1', 10],
    ])
    const ids = inserts.slice(0, -1).map((rows) => rows.map(({ id }) => id))
    assert.equal(new Set(ids.flat()).size, 1)
    await summaries[Symbol.asyncDispose]()
  })

  test('do not make each of them try a database that fails', async () => {
    const { clock, inserts, database, countTimes, summaries } = startSummaries()
    database.fail = new Error('the database does not answer')
    countTimes(1, '198.51.100.1')
    clock.advance(60_000)

    countTimes(1_000, '198.51.100.1')
    database.fail = undefined
    await summaries[Symbol.asyncDispose]()

    assert.ok(inserts.length <= 3, `${inserts.length} tries`)
  })
})

for (const kind of DATABASES) {
  describe(`summary rows on ${kind}`, () => {
    let database: TestDatabase

    before(async () => {
      database = await openTestDatabase(kind)
    })
    after(() => database?.close())

    test('are added as decisions with a count, and only once where they are given twice', async () => {
      const clock = createTestClock()
      const { insertSummaries } = createDecisionStore(database.db)
      const newDecisionId = createDecisionIds()
      const rows = [
        { ...from('198.51.100.1'), ...BAD, id: newDecisionId(clock()), decideTime: clock(), count: 990 },
        {
          callerIp: null,
          issuerUrl: 'https://gitlab.example.com',
          claims: '{"project_id":"20"}',
          ...OLD,
          id: newDecisionId(clock()),
          decideTime: clock(),
          count: 2_147_483_647,
        },
      ]

      await insertSummaries(rows)
      await insertSummaries(rows)
      await insertSummaries([])

      const stored =
        await database.query(`select id, kind, outcome, reason, caller_ip, issuer_url, claims, count,
        decide_time, num_nonnulls(identity, subject, verdict, subject_token_hash, issued_key_id) as others
        from decisions order by id`)
      assert.deepEqual(
        stored,
        rows.map(({ callerIp, issuerUrl, decideTime, ...row }) => ({
          ...row,
          caller_ip: callerIp,
          issuer_url: issuerUrl,
          decide_time: new Date(decideTime),
          others: 0,
        })),
      )
    })
  })
}
