import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { Writable } from 'node:stream'
import { after, before, describe, test } from 'node:test'
import { pino } from 'pino'
import type { RefusedDecision } from '../../src/decision/decision.ts'
import { createDecisionIds } from '../../src/decision/decision-id.ts'
import {
  createDecisionStore,
  type DecisionQuery,
  type DecisionStore,
} from '../../src/decision/decision-store.ts'
import { keepHouse } from '../../src/decision/keep-house.ts'
import { createDecisionRecorder } from '../../src/decision/record-decisions.ts'
import { createLog } from '../../src/log.ts'
import { openTestDatabase, type TestDatabase } from '../db/test-database.ts'
import { DATABASES } from '../support/world.ts'
import {
  addIdentity,
  allowed,
  denied,
  dryRun,
  type Ground,
  NOW,
  newDecisionId,
  sha256,
} from './sample-decisions.ts'

for (const kind of DATABASES) {
  describe(`stored decisions on ${kind}`, () => {
    let database: TestDatabase
    let decisions: DecisionStore
    let ground: Ground
    let other: Ground
    let record: ReturnType<typeof createDecisionRecorder>

    before(async () => {
      database = await openTestDatabase(kind)
      decisions = createDecisionStore(database.db)
      await decisions.ensurePartitions(NOW)
      ground = await addIdentity(database.db, 'deploy@workload.example.com')
      other = await addIdentity(database.db, 'other@workload.example.com')
      record = createDecisionRecorder({ db: database.db, log: createLog('silent') })
    })
    after(() => database?.close())

    test('are listed newest first, by identity and by outcome, from any point on', async () => {
      const made = [allowed(ground), denied(ground), denied(other), denied(ground), allowed(other)]
      for (const decision of made) await record(decision)
      const [a, b, c, d, e] = made.map(({ id }) => id)
      const ids = async (query: Partial<Parameters<DecisionStore['list']>[0]>) =>
        (await decisions.list({ limit: 100, ...query })).map(({ id }) => id)

      assert.deepEqual(await ids({}), [e, d, c, b, a])
      assert.deepEqual(await ids({ limit: 2 }), [e, d])
      assert.deepEqual(await ids({ before: d }), [c, b, a])
      assert.deepEqual(await ids({ identity: ground.email }), [d, b, a])
      assert.deepEqual(await ids({ identity: ground.email, outcome: 'DENIED' }), [d, b])
      assert.deepEqual(await ids({ outcome: 'ALLOWED', before: e }), [a])
      assert.deepEqual(await ids({ identity: 'DEPLOY@workload.example.com' }), [])
    })

    test('are listed by reason, kind, project and time, oldest first too', async () => {
      const day = Date.UTC(2026, 11, 3)
      const newId = createDecisionIds()
      const at = (time: number, more: Partial<RefusedDecision> = {}) =>
        denied(ground, { id: newId(time), decideTime: time, projectPath: 'acme/listed', ...more })
      const made = [
        at(day, { project: 'payments' }),
        at(day + 1, { reason: 'policy_timeout', outcome: 'FAILED' }),
        dryRun(ground, {
          id: newId(day + 2),
          decideTime: day + 2,
          outcome: 'DENIED',
          reason: 'condition_not_met',
          projectPath: 'acme/other',
        }),
        at(day + 3, { reason: 'token_audience', project: 'payments' }),
      ]
      for (const decision of made) await record(decision)
      const [a, b, c, d] = made.map(({ id }) => id)
      const ids = async (query: Partial<DecisionQuery>) =>
        (await decisions.list({ limit: 100, since: day, ...query })).map(({ id }) => id)

      assert.deepEqual(await ids({}), [d, c, b, a])
      assert.deepEqual(await ids({ oldestFirst: true }), [a, b, c, d])
      assert.deepEqual(await ids({ oldestFirst: true, after: b ?? '', limit: 1 }), [c])
      assert.deepEqual(await ids({ after: b ?? '', before: d ?? '' }), [c])
      assert.deepEqual(await ids({ since: day + 1, until: day + 3 }), [c, b])
      assert.deepEqual(await ids({ reason: 'condition_not_met' }), [c, a])
      assert.deepEqual(await ids({ reason: 'policy_timeout', outcome: 'FAILED' }), [b])
      assert.deepEqual(await ids({ reason: 'policy_timeout', outcome: 'DENIED' }), [])
      assert.deepEqual(await ids({ reason: 'allowed' }), [])
      assert.deepEqual(await ids({ kind: 'DRY_RUN' }), [c])
      assert.deepEqual(await ids({ kind: 'EXCHANGE' }), [d, b, a])
      assert.deepEqual(await ids({ kind: 'ACCESS' }), [])
      assert.deepEqual(await ids({ project: 'payments' }), [d, a])
      assert.deepEqual(await ids({ projectPath: 'acme/listed' }), [d, b, a])
      assert.deepEqual(await ids({ projectPath: 'acme/listed', project: 'payments', until: day + 3 }), [a])
    })

    test('are got one at a time', async () => {
      const decision = denied(ground)
      await record(decision)

      assert.equal((await decisions.get(decision.id))?.reason, 'condition_not_met')
      assert.equal(await decisions.get(randomUUID()), undefined)
    })

    test('tell who used a token before', async () => {
      const decision = allowed(ground, 'a-jti')
      await record(decision)

      const use = await decisions.findEarlierUse(ground.issuerUrl, sha256('a-jti'))

      assert.deepEqual(use, { decisionId: decision.id, useTime: NOW })
      assert.equal(await decisions.findEarlierUse('https://gitlab.other.example', sha256('a-jti')), undefined)
    })

    test('outlive the used tokens, which are forgotten only once they can no longer be presented', async () => {
      const decision = allowed(ground, 'a-short-jti', {
        singleUse: { jtiHash: sha256('a-short-jti'), keepUntil: NOW + 1_000 },
      })
      await record(decision)
      const isKnown = async () =>
        (await decisions.findEarlierUse(ground.issuerUrl, sha256('a-short-jti'))) !== undefined

      await decisions.pruneUsedTokens(NOW + 1_000)
      const inTime = await isKnown()
      await decisions.pruneUsedTokens(NOW + 1_001)
      const afterwards = await isKnown()

      assert.deepEqual([inTime, afterwards], [true, false])
      assert.equal((await decisions.get(decision.id))?.outcome, 'ALLOWED')
    })

    test('outlive what tells which tokens were explained, which is forgotten as used tokens are', async () => {
      const run = dryRun(ground, { keepUntil: NOW + 1_000 })
      await record(run)
      const again = () => record({ ...run, id: newDecisionId() })

      await decisions.pruneUsedTokens(NOW + 1_000)
      const inTime = await again()
      await decisions.pruneUsedTokens(NOW + 1_001)
      const afterwards = await again()

      assert.deepEqual([inTime?.hasRow, afterwards?.hasRow], [false, true])
    })

    test('outlive what tells which access tokens were revoked, which is forgotten as used tokens are', async () => {
      const revoke = (keepUntil: number) =>
        database.query(`insert into revoked_tokens (decision_id, keep_until)
          values (gen_random_uuid(), to_timestamp(${keepUntil / 1000}))`)
      const known = () => database.query('select keep_until from revoked_tokens order by keep_until')
      await revoke(NOW + 1_000)
      await revoke(NOW + 2_000)

      await decisions.pruneUsedTokens(NOW + 1_000)
      const inTime = await known()
      await decisions.pruneUsedTokens(NOW + 1_001)

      assert.equal(inTime.length, 2)
      assert.deepEqual(await known(), [{ keep_until: new Date(NOW + 2_000) }])
    })

    test('outlive used tokens, which a clock that is ahead does not make usable again', async () => {
      const jtiHash = sha256('a-jti-of-tomorrow')
      const keepUntil = Date.now() + 3_600_000
      await record(allowed(ground, 'a-jti-of-tomorrow', { singleUse: { jtiHash, keepUntil } }))

      await decisions.pruneUsedTokens(keepUntil + 86_400_000)

      assert.ok(await decisions.findEarlierUse(ground.issuerUrl, jtiHash))
    })

    test('outlive used tokens, which are forgotten however many there are', async () => {
      await database.query('delete from used_tokens')
      await database.query(`insert into used_tokens
        select 'https://gitlab.example.com', decode(lpad(to_hex(n), 8, '0'), 'hex'), gen_random_uuid(), now(),
          timestamptz '2026-11-24T11:59:59Z' + make_interval(secs => n % 2 * 2) from generate_series(1, 4002) n`)

      await decisions.pruneUsedTokens(NOW)

      const left = await database.query(
        'select count(*)::int as n, min(keep_until) as soonest from used_tokens',
      )
      assert.deepEqual(left, [{ n: 2_001, soonest: new Date(NOW + 1_000) }])
    })

    const partitions = async () => {
      const rows = await database.query(
        `select relid::text as name from pg_partition_tree('decisions') where isleaf order by 1`,
      )
      return rows.map(({ name }) => name)
    }
    const partitionOf = async (id: string) =>
      (await database.query(`select tableoid::regclass::text as name from decisions where id = '${id}'`))[0]
        ?.name
    const decisionAt = (time: number) => ({
      ...denied(ground),
      id: createDecisionIds()(time),
      decideTime: time,
    })

    test('lie in partitions, made once for this month and the two that follow', async () => {
      const made = await partitions()
      const again = await decisions.ensurePartitions(NOW)

      assert.deepEqual(again, { strayRows: false })
      assert.deepEqual(made, [
        'decisions_2026_11',
        'decisions_2026_12',
        'decisions_2027_01',
        'decisions_default',
      ])
      assert.deepEqual(await partitions(), made)
    })

    test('lie in the partition of their own month in UTC, from its first millisecond to its last', async () => {
      const monthStart = Date.UTC(2026, 11, 1)
      const times = {
        decisions_2026_11: monthStart - 1,
        decisions_2026_12: monthStart,
        decisions_2027_01: Date.UTC(2027, 0, 31),
      }

      for (const [partition, time] of Object.entries(times)) {
        const decision = decisionAt(time)
        await record(decision)

        assert.equal(await partitionOf(decision.id), partition)
      }
    })

    test('have partitions that several may make at once', async () => {
      const moment = Date.UTC(2028, 5, 15)

      await Promise.all(Array.from({ length: 4 }, () => decisions.ensurePartitions(moment)))

      assert.ok((await partitions()).includes('decisions_2028_06'))
    })

    test('outside of all partitions are kept all the same, and told of: a clock may jump', async () => {
      const stray = decisionAt(Date.UTC(2030, 2, 10))

      await record(stray)

      assert.equal(await partitionOf(stray.id), 'decisions_default')
      assert.deepEqual(await decisions.ensurePartitions(NOW), { strayRows: true })
      assert.match(
        await housekeepingLog(decisions, NOW),
        /"level":50.*decisions lie outside all monthly partitions/,
      )
    })

    test('outside of all partitions keep only their own month from having one', async () => {
      const { strayRows } = await decisions.ensurePartitions(Date.UTC(2030, 2, 20))

      assert.equal(strayRows, true)
      const made = await partitions()
      assert.ok(!made.includes('decisions_2030_03'))
      assert.ok(made.includes('decisions_2030_04') && made.includes('decisions_2030_05'), made.join())
    })

    test('outside of all partitions keep no used token from being forgotten', async () => {
      await record(
        allowed(ground, 'to-be-forgotten', {
          singleUse: { jtiHash: sha256('to-be-forgotten'), keepUntil: NOW },
        }),
      )

      await housekeepingLog(decisions, Date.UTC(2030, 2, 25))

      assert.equal(await decisions.findEarlierUse(ground.issuerUrl, sha256('to-be-forgotten')), undefined)
    })
  })
}

/** What the hourly work writes to the log when it is done at this time. */
async function housekeepingLog(decisions: DecisionStore, now: number): Promise<string> {
  const lines: string[] = []
  const sink = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk))
      done()
    },
  })
  const house = await keepHouse({
    decisions,
    decisionRetentionDays: undefined,
    clock: () => now,
    log: pino(sink),
  })
  house[Symbol.dispose]()
  return lines.join('')
}
