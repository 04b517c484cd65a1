import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { after, before, describe, test } from 'node:test'
import pg from 'pg'
import { pino } from 'pino'
import { startApp } from '../../src/app.ts'
import { readConfig } from '../../src/config/env.ts'
import { storeRetention } from '../../src/db/migrate.ts'
import { openPostgresql } from '../../src/db/postgresql.ts'
import { createDecisionIds } from '../../src/decision/decision-id.ts'
import { createDecisionStore, type DecisionStore } from '../../src/decision/decision-store.ts'
import { keepHouse } from '../../src/decision/keep-house.ts'
import { createDecisionRecorder } from '../../src/decision/record-decisions.ts'
import { createLog } from '../../src/log.ts'
import { openTestDatabase, type TestDatabase } from '../db/test-database.ts'
import { DATABASES } from '../support/world.ts'
import { addIdentity, allowed, denied, sha256 } from './sample-decisions.ts'

const DAY_MS = 86_400_000
/** So long ago that the database's own clock is later, whatever machine this runs on. */
const JANUARY = Date.UTC(2020, 0, 15)
const FEBRUARY_END = Date.UTC(2020, 2, 1)

for (const kind of DATABASES) {
  describe(`decisions that are no longer kept, on ${kind}`, () => {
    let database: TestDatabase
    let decisions: DecisionStore
    let record: ReturnType<typeof createDecisionRecorder>
    let ground: Awaited<ReturnType<typeof addIdentity>>

    before(async () => {
      database = await openTestDatabase(kind)
      decisions = createDecisionStore(database.db)
      record = createDecisionRecorder({ db: database.db, log: createLog('silent') })
      ground = await addIdentity(database.db, 'deploy@workload.example.com')
      // January to April of 2020, and far ahead.
      await decisions.ensurePartitions(JANUARY)
      await decisions.ensurePartitions(Date.UTC(2020, 1))
      await decisions.ensurePartitions(Date.UTC(2190, 0))
      for (const time of [JANUARY, Date.UTC(2020, 1, 10), Date.UTC(2020, 3, 10), Date.UTC(2190, 0, 5)]) {
        await record(decisionAt(time))
      }
      await record(decisionAt(Date.UTC(2018, 5)))
    })
    after(() => database?.close())

    const decisionAt = (time: number) => ({
      ...denied(ground),
      id: createDecisionIds()(time),
      decideTime: time,
    })
    const partitions = async () =>
      (
        await database.query(
          `select relid::text as name from pg_partition_tree('decisions') where isleaf order by 1`,
        )
      ).map(({ name }) => name)
    const FIRST = ['decisions_2020_01', 'decisions_2020_02', 'decisions_2020_03', 'decisions_2020_04']
    const AHEAD = ['decisions_2190_01', 'decisions_2190_02', 'decisions_2190_03', 'decisions_default']

    test('are kept for ever unless a number of days is stored', async () => {
      const retired = await decisions.retire(Date.UTC(2189, 0))

      assert.equal(await decisions.retentionDays(), undefined)
      assert.deepEqual(retired, [])
      assert.deepEqual(await partitions(), [...FIRST, ...AHEAD])
    })

    test('stay while one of their month could still be kept', async () => {
      await storeRetention(database.db, 30)

      const retired = await decisions.retire(Date.UTC(2020, 1, 1) + 30 * DAY_MS - 1)

      assert.equal(await decisions.retentionDays(), 30)
      assert.deepEqual(retired, [])
    })

    test('go with their month once all of it is older, by the clock that is given', async () => {
      const retired = await decisions.retire(Date.UTC(2020, 1, 1) + 30 * DAY_MS)

      assert.deepEqual(retired, ['decisions_2020_01'])
      assert.deepEqual(await partitions(), [...FIRST.slice(1), ...AHEAD])
      const left = await decisions.list({ limit: 100, oldestFirst: true })
      assert.deepEqual(
        left.map(({ decide_time }) => decide_time.getTime()),
        [Date.UTC(2018, 5), Date.UTC(2020, 1, 10), Date.UTC(2020, 3, 10), Date.UTC(2190, 0, 5)],
      )
    })

    test('are not made more by a clock before all time, or one that is ahead of the database', async () => {
      await storeRetention(database.db, 36_500)
      const early = await decisions.retire(JANUARY)
      await storeRetention(database.db, 1)
      const [before] = await database.query(
        `select retire_decision_partition('-infinity') as least, retire_decision_partition('0001-01-01') as first`,
      )

      // All of 2020 is past by any clock; what the given one alone calls past stays.
      const ahead = await decisions.retire(Date.UTC(2200, 0))

      assert.deepEqual(early, [])
      assert.deepEqual(before, { least: null, first: null })
      assert.deepEqual(ahead, FIRST.slice(1))
      assert.deepEqual(await partitions(), AHEAD)
    })

    test('leave alone what lies outside of all months', async () => {
      const left = await database.query('select count(*)::int as n from decisions_default')

      assert.deepEqual(left, [{ n: 1 }])
    })

    test('are kept for ever again when the number is taken away', async () => {
      await decisions.ensurePartitions(JANUARY)
      await storeRetention(database.db, undefined)

      const retired = await decisions.retire(Date.now())

      assert.deepEqual(retired, [])
      assert.ok((await partitions()).includes('decisions_2020_01'))
    })

    test('have no number of days that could not be meant', async () => {
      for (const days of [0, -1, 36_501]) await assert.rejects(storeRetention(database.db, days))
    })

    test('go once in the hourly work of whichever instance is first, which says so', async (t) => {
      await storeRetention(database.db, 7)
      const singleUse = { jtiHash: sha256('used long ago'), keepUntil: JANUARY }
      await record(allowed(ground, 'used long ago', { singleUse }))
      const instances =
        database.url === undefined
          ? [database.db]
          : [1, 2].map(() => openPostgresql(database.url ?? '', createLog('silent')))

      if (database.url !== undefined) t.after(() => Promise.all(instances.map((db) => db.close())))

      const logs = await Promise.all(
        instances.map((db) => housekeepingLog(createDecisionStore(db), FEBRUARY_END + 8 * DAY_MS)),
      )

      assert.doesNotMatch(logs.join(''), /could not/)
      const dropped = logs
        .flatMap((log) => log.split('\n').filter((line) => line !== ''))
        .flatMap((line): readonly string[] => JSON.parse(line).partitions ?? [])
      assert.deepEqual(dropped.toSorted(), ['decisions_2020_01', 'decisions_2020_02'])
      assert.ok(!(await partitions()).includes('decisions_2020_01'))
      assert.deepEqual(await database.query('select * from used_tokens'), [])
    })
  })
}

describe('the hourly work beside others', { skip: !DATABASES.includes('postgresql' as never) }, () => {
  let database: TestDatabase
  let decisions: DecisionStore

  before(async () => {
    database = await openTestDatabase('postgresql')
    decisions = createDecisionStore(database.db)
    await storeRetention(database.db, 7)
    await decisions.ensurePartitions(JANUARY)
  })
  after(() => database?.close())

  /** Holds what these statements take until `work` is done. */
  async function whileHeld<Result>(statements: string, work: () => Promise<Result>): Promise<Result> {
    const other = new pg.Client({ connectionString: database.url })
    await other.connect()
    try {
      await other.query(`begin; ${statements}`)
      return await work()
    } finally {
      await other.end()
    }
  }

  test('is left to the instance that is at it', async () => {
    await database.query(`insert into used_tokens
      values ('https://gitlab.example.com', 'x', gen_random_uuid(), now(), timestamptz '2020-01-01')`)
    const held = ['retirement', 'pruning'].map(
      (name) => `select pg_advisory_xact_lock(hashtext('claimgate.${name}'))`,
    )

    const retired = await whileHeld(held.join(';'), async () => {
      await decisions.pruneUsedTokens(JANUARY)
      return decisions.retire(FEBRUARY_END + 8 * DAY_MS)
    })

    assert.deepEqual(retired, [])
    assert.deepEqual(await database.query('select count(*)::int as n from used_tokens'), [{ n: 1 }])
    await decisions.pruneUsedTokens(JANUARY)
    assert.deepEqual(await database.query('select * from used_tokens'), [])
  })

  test('gives way to who reads a month that is to go, tells of it, and holds up no recording', async () => {
    const ground = await addIdentity(database.db, 'deploy@workload.example.com')
    const record = createDecisionRecorder({ db: database.db, log: createLog('silent') })
    const reading = 'select * from decisions'

    const [log, recorded] = await whileHeld(reading, () =>
      Promise.all([housekeepingLog(decisions, FEBRUARY_END + 8 * DAY_MS), record(denied(ground))]),
    )
    const afterwards = await decisions.retire(FEBRUARY_END + 8 * DAY_MS)

    assert.match(log, /"level":50.*lock timeout.*partitions could not be made ahead/)
    assert.match(log, /"level":50.*lock timeout.*decisions that are no longer kept could not be dropped/)
    assert.equal(recorded?.outcome, 'DENIED')
    assert.deepEqual(afterwards, ['decisions_2020_01', 'decisions_2020_02'])
  })
})

test('a start that does not migrate warns of a setting that the database does not keep to', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'claimgate-retention-'))
  const start = async (days: Record<string, string>, migrate: boolean) => {
    const { config } = readConfig({ DATA_DIR: dataDir, PORT: '0', PUBLIC_URL: 'https://x.example', ...days })
    const lines: string[] = []
    const app = await startApp({ config, log: pino(sinkTo(lines)), clock: () => JANUARY, migrate })
    await app.close()
    return lines.join('').match(/"stored":.*DECISION_RETENTION_DAYS[^"]*/g) ?? []
  }

  const first = await start({ DECISION_RETENTION_DAYS: '30' }, true)
  const same = await start({ DECISION_RETENTION_DAYS: '30' }, false)
  const [other = ''] = await start({ DECISION_RETENTION_DAYS: '7' }, false)
  const [none = ''] = await start({}, false)
  const migrated = await start({}, true)
  const unset = await start({}, false)
  rmSync(dataDir, { recursive: true })

  assert.match(other, /"stored":30,"setting":7,.* is not what the database keeps to/)
  assert.match(none, /"stored":30,"setting":null/)
  assert.deepEqual([first, same, migrated, unset], [[], [], [], []])
})

/** What the hourly work writes to the log when it is done at this time. */
async function housekeepingLog(decisions: DecisionStore, now: number): Promise<string> {
  const lines: string[] = []
  const decisionRetentionDays = await decisions.retentionDays()
  const log = pino(sinkTo(lines))
  const house = await keepHouse({ decisions, decisionRetentionDays, clock: () => now, log })
  house[Symbol.dispose]()
  return lines.join('')
}

function sinkTo(lines: string[]): Writable {
  return new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk))
      done()
    },
  })
}
