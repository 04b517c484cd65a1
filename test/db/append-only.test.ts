import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { createDecisionIds } from '../../src/decision/decision-id.ts'
import { createDecisionStore } from '../../src/decision/decision-store.ts'
import { createDecisionRecorder } from '../../src/decision/record-decisions.ts'
import { createLog } from '../../src/log.ts'
import { addIdentity, allowed, denied, NOW } from '../decision/sample-decisions.ts'
import { DATABASES } from '../support/world.ts'
import { openTestDatabase, type TestDatabase } from './test-database.ts'

const PARTITIONS = ['decisions_2026_11', 'decisions_2026_12', 'decisions_2027_01', 'decisions_default']

for (const kind of DATABASES) {
  describe(`even the owner, who is superuser, on ${kind}`, () => {
    let database: TestDatabase

    before(async () => {
      database = await openTestDatabase(kind)
      const decisions = createDecisionStore(database.db)
      await decisions.ensurePartitions(NOW)
      const record = createDecisionRecorder({ db: database.db, log: createLog('silent') })
      const ground = await addIdentity(database.db, 'deploy@workload.example.com')
      await record(allowed(ground, randomUUID()))
      for (const time of [Date.UTC(2026, 11, 5), Date.UTC(2027, 0, 5), Date.UTC(2031, 0)]) {
        await record({ ...denied(ground), id: createDecisionIds()(time) })
      }
    })
    after(() => database?.close())

    for (const table of ['decisions', ...PARTITIONS]) {
      test(`cannot change, delete or truncate rows of ${table}`, async () => {
        const before = await database.query(`select * from ${table} order by id`)
        assert.ok(before.length > 0)

        const refusals = [
          await database.refusal(`update ${table} set outcome = 'DENIED', reason = 'condition_not_met'`),
          await database.refusal(`update ${table} set user_agent = user_agent`),
          await database.refusal(`delete from ${table}`),
          await database.refusal(`truncate ${table}`),
          await database.refusal(`truncate ${table} cascade`),
        ]

        for (const refusal of refusals)
          assert.match(refusal, /is append-only: (UPDATE|DELETE|TRUNCATE) is refused/)
        assert.deepEqual(await database.query(`select * from ${table} order by id`), before)
      })
    }

    test('cannot move a row to another partition by changing its id', async () => {
      const refusal = await database.refusal(`update decisions set id = '${createDecisionIds()(NOW)}'
        where id = (select max(id::text)::uuid from decisions)`)

      assert.match(refusal, /is append-only: UPDATE is refused/)
    })

    test('cannot overwrite a row by inserting it again', async () => {
      const refusal = await database.refusal(`insert into decisions select * from decisions
        on conflict (id) do update set reason = 'token_age', outcome = 'DENIED', issued_key_id = null`)

      assert.match(refusal, /is append-only: UPDATE is refused/)
    })

    test('cannot change, delete or truncate a policy', async () => {
      const refusals = [
        await database.refusal(`update policies set wasm = 'x'`),
        await database.refusal('delete from policies'),
        await database.refusal('truncate policies cascade'),
      ]

      for (const refusal of refusals) assert.match(refusal, /is append-only/)
    })

    test('cannot change, delete or truncate a policy version', async () => {
      await database.query(`insert into policy_versions (subject, number, change, author, state, resource, create_time)
        values ('workloadIdentities/x', 1, 'CREATE', 'adminTokens/first', 'ACTIVE', '{}', now()) returning number`)

      const refusals = [
        await database.refusal(`update policy_versions set reason = 'x'`),
        await database.refusal('delete from policy_versions'),
        await database.refusal('truncate policy_versions cascade'),
      ]

      for (const refusal of refusals) assert.match(refusal, /is append-only/)
    })

    test('cannot change, delete or truncate what was written down of a change', async () => {
      await database.query(`insert into changes (id, outcome, author, verb, resource, create_time)
        values ('${createDecisionIds()(NOW)}', 'DONE', 'adminTokens/first', 'UPDATE', 'projects/x', now())`)

      const refusals = [
        await database.refusal(`update changes set author = 'adminTokens/another'`),
        await database.refusal('delete from changes'),
        await database.refusal('truncate changes cascade'),
      ]

      for (const refusal of refusals) assert.match(refusal, /is append-only/)
    })

    for (const [what, columns, constraint] of [
      [
        'an outcome that is none',
        `outcome = 'MAYBE', reason = 'token_age', issued_key_id = null`,
        'decisions_known_outcome',
      ],
      [
        'a refusal that is called allowed',
        `outcome = 'DENIED', reason = 'allowed'`,
        'decisions_allowed_means_allowed',
      ],
      [
        'an allowed one for any other reason',
        `outcome = 'ALLOWED', reason = 'token_age'`,
        'decisions_allowed_means_allowed',
      ],
      ['an allowed one without its verdict', 'verdict = null', 'decisions_allowed_is_explained'],
      ['an allowed one without its claims', 'claims = null', 'decisions_allowed_is_explained'],
      ['an allowed one without its policy', 'policy_digest = null', 'decisions_allowed_is_explained'],
      [
        'a refusal that issued something',
        `outcome = 'DENIED', reason = 'token_age'`,
        'decisions_only_allowed_issue',
      ],
    ] as const) {
      test(`cannot insert ${what}`, async () => {
        const changed = Object.fromEntries(
          columns.split(', ').map((each) => each.split(' = ') as [string, string]),
        )
        const names = await database.query(`select column_name as name from information_schema.columns
          where table_name = 'decisions' order by ordinal_position`)
        const values = names.map(
          ({ name }) => changed[name] ?? (name === 'id' ? `'${createDecisionIds()(NOW)}'` : name),
        )

        const refusal =
          await database.refusal(`insert into decisions (${names.map(({ name }) => name).join()})
          select ${values.join()} from decisions where outcome = 'ALLOWED'`)

        assert.match(refusal, new RegExp(constraint))
      })
    }
  })
}
