import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { checkVersion, checkWritable } from '../../src/db/check-database.ts'
import { isMigrated, migrate } from '../../src/db/migrate.ts'
import { openDatabase } from '../../src/db/open-database.ts'
import { MIGRATION_LIMITS, openPostgresql } from '../../src/db/postgresql.ts'
import { createGuardrailsStore } from '../../src/guardrails/guardrails-store.ts'
import { createLog } from '../../src/log.ts'
import { createPolicyVersionStore } from '../../src/policy/policy-version-store.ts'
import { createDatabase, DATABASES } from '../support/world.ts'
import { openTestDatabase, type TestDatabase } from './test-database.ts'

const DIGEST = `sha256:${'0'.repeat(64)}`
const ALL = [
  '0001-initial',
  '0002-projects',
  '0003-decision-history',
  '0004-explained-tokens',
  '0005-guardrails',
  '0006-providers',
  '0007-identity-tests',
  '0008-policy-versions',
  '0009-guardrails-versions',
  '0010-roles',
  '0011-access-decisions',
  '0012-token-revocation',
  '0013-signing-key-rotation',
  '0014-changes',
  '0015-compressed-policies',
]

for (const kind of DATABASES) {
  describe(`migrating on ${kind}`, () => {
    let database: TestDatabase

    before(async () => {
      database = await openTestDatabase(kind, { migrate: false })
    })
    after(() => database?.close())

    test('is asked for where it was left out', async () => {
      const dataDir = mkdtempSync(join(tmpdir(), 'claimgate-unmigrated-'))
      const settings = {
        databaseUrl: database.url,
        migrationDatabaseUrl: undefined,
        dataDir,
        decisionRetentionDays: undefined,
      }

      const opening = openDatabase(settings, { migrate: false, log: createLog('silent') })

      await assert.rejects(opening, /schema is not up to date: run 'npm run migrate'/)
      rmSync(dataDir, { recursive: true })
    })

    test('brings an empty database up to date, once', async () => {
      const before = await isMigrated(database.db)

      const first = await migrate(database.db)
      const second = await migrate(database.db)

      assert.equal(before, false)
      assert.deepEqual(first, ALL)
      assert.deepEqual(second, [])
      assert.equal(await isMigrated(database.db), true)
    })

    test('makes a database that can be written to', async () => {
      const [before] = await database.query('select check_time from readiness')

      await checkWritable(database.db)

      const [after] = await database.query('select check_time from readiness')
      assert.ok(after.check_time >= before.check_time)
      assert.match(
        await database.refusal('insert into readiness values (false, now())'),
        /readiness_single_row/,
      )
    })

    test('keeps issuers of every provider, by its name in capitals', async () => {
      const insert = (id: string, provider: string) =>
        `insert into issuers (id, issuer_url, title, provider_type, state, algorithms, create_time, update_time)
           values ('${id}', 'https://${id}.example.com', '', '${provider}', 'ACTIVE', '{RS256}', now(), now())`

      await database.query(insert('a', 'GITHUB'))

      assert.match(await database.refusal(insert('b', 'github')), /issuers_some_provider/)
      assert.match(await database.refusal(insert('b', '')), /issuers_some_provider/)
    })

    test('is on a version that is new enough', async () => {
      await checkVersion(database.db)
    })
  })

  test(`versions of the guardrails that there are move to where all others are on ${kind}`, async (t) => {
    const database = await openTestDatabase(kind, { migrate: false })
    t.after(() => database.close())
    const run = async (name: string) => (await import(`../../migrations/${name}.ts`)).up(database.db.kysely)
    for (const name of ALL.slice(0, ALL.indexOf('0009-guardrails-versions'))) await run(name)
    await database.query(`insert into policies (digest, compiler, entrypoint, modules, wasm, compile_time)
      values ('${DIGEST}', '', '', '[]', '', now())`)
    await database.query(`insert into guardrails_versions (version, source, tests, digest, author, create_time)
      values (1, 'package x', '[{"title": "A"}]', '${DIGEST}', 'somebody', now()), (2, '', '[]', null, 'else', now())`)
    await database.query('update guardrails set version = 1')

    await run('0009-guardrails-versions')

    const { current } = createGuardrailsStore(database.db)
    const { source, tests, digest } = await current()
    assert.deepEqual(
      { source, tests, digest },
      { source: 'package x', tests: [{ title: 'A' }], digest: DIGEST },
    )
    const versions = await createPolicyVersionStore(database.db).list('guardrails', {
      before: undefined,
      limit: 9,
    })
    assert.deepEqual(
      versions.map(({ number, author, policyDigest, resource }) => [number, author, policyDigest, resource]),
      [
        [2, 'else', null, { source: '', tests: [] }],
        [1, 'somebody', DIGEST, { source: 'package x', tests: [{ title: 'A' }] }],
      ],
    )
    assert.match(
      await database.refusal(`insert into policy_versions
        select subject, 3, change, restored_number, author, reason, state, resource, null, create_time
        from policy_versions where number = 1`),
      /policy_versions_guardrails_compiled/,
    )
  })
}

describe('four instances on postgresql', { skip: !DATABASES.includes('postgresql' as never) }, () => {
  test('migrate at once: one of them does it, the others wait for it', async (t) => {
    const database = await createDatabase()
    t.after(() => database.drop())
    const instances = Array.from({ length: 4 }, () =>
      openPostgresql(database.url, createLog('silent'), MIGRATION_LIMITS),
    )

    t.after(() => Promise.all(instances.map((db) => db.close())))

    const applied = await Promise.all(instances.map((db) => migrate(db)))
    const migrated = await Promise.all(instances.map((db) => isMigrated(db)))

    assert.deepEqual(
      applied.toSorted((a, b) => b.length - a.length),
      [ALL, [], [], []],
    )
    assert.deepEqual(migrated, [true, true, true, true])
  })

  test('that fail midway leave nothing behind, and the next attempt succeeds', async (t) => {
    const database = await openTestDatabase('postgresql', { migrate: false })
    t.after(() => database.close())
    await database.query('create table used_tokens (in_the_way text)')

    await assert.rejects(migrate(database.db), /used_tokens/)
    const tables = await database.query(
      `select to_regclass('issuers') as issuers, to_regclass('decisions') as decisions`,
    )
    await database.query('drop table used_tokens')
    const applied = await migrate(database.db)

    assert.deepEqual(tables, [{ issuers: null, decisions: null }])
    assert.deepEqual(applied, ALL)
  })
})
