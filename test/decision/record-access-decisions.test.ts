import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import type { Database } from '../../src/db/database.ts'
import type { AccessDecidedOn, AccessDecision } from '../../src/decision/decision.ts'
import { createDecisionRecorder } from '../../src/decision/record-decisions.ts'
import { createLog } from '../../src/log.ts'
import { openTestDatabase, type TestDatabase } from '../db/test-database.ts'
import { DATABASES } from '../support/world.ts'
import { accessDecision, addIdentity, allowed, denied, dryRun, type Ground } from './sample-decisions.ts'

const log = createLog('silent')

for (const kind of DATABASES) {
  describe(`recording access decisions on ${kind}`, () => {
    let database: TestDatabase
    let ground: Ground
    let on: Partial<AccessDecidedOn>
    let record: ReturnType<typeof createDecisionRecorder>

    before(async () => {
      database = await openTestDatabase(kind)
      ground = await addIdentity(database.db, 'deploy@workload.example.com')
      await database.query(
        `insert into projects (id, title, state, create_time, update_time) values ('shop', 'Shop', 'ACTIVE', now(), now())`,
      )
      on = await revisions()
      record = createDecisionRecorder({ db: database.db, log })
    })
    after(() => database?.close())

    async function revisions(): Promise<Partial<AccessDecidedOn>> {
      const [row] = await database.query(
        `select p.revision, p.iam_revision, c.revision as roles from projects p, role_changes c where p.id = 'shop'`,
      )
      return {
        rolesRevision: row.roles,
        resourceProject: 'shop',
        resourceRevision: row.revision,
        iamRevision: row.iam_revision,
      }
    }
    const decision = (decidedOn: Partial<AccessDecidedOn> = {}, more: Partial<AccessDecision> = {}) =>
      accessDecision(ground, { ...on, ...decidedOn }, more)
    const row = async (id: string) => (await database.query(`select * from decisions where id = '${id}'`))[0]

    test('one is stored as it was made', async () => {
      const made = decision()

      const recorded = await record(made)

      assert.deepEqual(recorded, { ...made, hasRow: true })
      const stored = await row(made.id)
      assert.equal(Buffer.from(stored.subject_token_hash).toString('hex'), made.subjectTokenHash)
      for (const [column, value] of Object.entries({
        kind: 'ACCESS',
        outcome: 'ALLOWED',
        reason: 'allowed',
        identity: ground.email,
        identity_id: ground.identityId,
        identity_revision: ground.identityRevision,
        issuer_url: ground.issuerUrl,
        claims: made.claims,
        verdict: made.verdict,
        policy_digest: made.policyDigest,
        caller: 'adminTokens/first',
        subject_type: 'token',
        permission: 'db.create',
        resource_type: 'project',
        resource_id: 'shop',
        issued_key_id: null,
      })) {
        assert.equal(stored[column], value, column)
      }
    })

    const STALE: readonly (readonly [string, Partial<AccessDecidedOn>])[] = [
      ['the identity', { identityRevision: '1' }],
      ['that there is no identity', { identityRevision: null }],
      ['the identity’s project', { projectRevision: '1' }],
      ['the issuer', { issuerRevision: '1' }],
      ['the roles', { rolesRevision: '1' }],
      ['the project', { resourceRevision: '1' }],
      ['that there is no such project', { resourceRevision: null, iamRevision: null }],
      ['the members', { iamRevision: '1' }],
    ]
    for (const [what, stale] of STALE) {
      test(`one that stands on another revision of ${what} is not recorded`, async () => {
        const made = decision(stale)

        assert.equal(await record(made), undefined)
        assert.equal(await row(made.id), undefined)
      })
    }

    test('one on a token whose key was taken away meanwhile is not recorded', async () => {
      const made = decision({ tokenKeyId: 'taken-away' })

      assert.equal(await record(made), undefined)
    })

    test('one on a token that was revoked meanwhile is not recorded, one on another is', async () => {
      const [revoked, other] = [randomUUID(), randomUUID()]
      await database.query(`insert into revoked_tokens values ('${revoked}', now())`)

      const recorded = [
        await record(decision({ tokenDecisionId: revoked })),
        await record(decision({ tokenDecisionId: other })),
      ]

      assert.deepEqual(
        recorded.map((each) => each?.outcome),
        [undefined, 'ALLOWED'],
      )
    })

    test('one on what is not known stands on nothing', async () => {
      const nothing = {
        identityRevision: undefined,
        issuerRevision: null,
        rolesRevision: null,
        resourceProject: null,
        resourceRevision: null,
        iamRevision: null,
      }
      const unknown = {
        identity: null,
        identityId: null,
        issuerUrl: null,
        outcome: 'DENIED',
        reason: 'token_inactive',
        claims: null,
        verdict: null,
        policyDigest: null,
      } as const
      const [kept, counted] = [decision(nothing, unknown), decision(nothing, unknown)]

      const recorded = [await record(kept), await record(counted, { keepRefusal: false })]

      assert.deepEqual(
        recorded.map((each) => each?.hasRow),
        [true, false],
      )
      assert.equal(await row(counted.id), undefined)
    })

    test('they share a statement and its commit with exchanges and dry runs', async () => {
      const { db, statements } = counting(database.db)
      const countedRecord = createDecisionRecorder({ db, log })
      const jti = randomUUID()
      // The first goes alone, and what comes while it runs shares the next.
      const first = countedRecord(decision())

      const recorded = await Promise.all([
        countedRecord(allowed(ground, jti)),
        countedRecord(decision()),
        countedRecord(allowed(ground, jti)),
        countedRecord(denied(ground), { keepRefusal: false }),
        countedRecord(decision({ rolesRevision: '1' })),
        countedRecord(dryRun(ground)),
        countedRecord(decision({}, { outcome: 'DENIED', reason: 'role_missing' })),
      ])
      await first

      assert.equal(statements(), 2)
      const [once, access, again, ...others] = recorded.map(
        (each) => each && `${each.kind} ${each.reason} ${each.hasRow}`,
      )
      assert.equal(access, 'ACCESS allowed true')
      assert.deepEqual(
        new Set([once, again]),
        new Set(['EXCHANGE allowed true', 'EXCHANGE token_replayed true']),
      )
      assert.deepEqual(others, [
        'EXCHANGE condition_not_met false',
        undefined,
        'DRY_RUN allowed true',
        'ACCESS role_missing true',
      ])
    })

    test('one that the database refuses fails alone', async () => {
      const poisoned = decision({}, { claims: null })

      const [bad, good, exchange] = await Promise.allSettled([
        record(poisoned),
        record(decision()),
        record(allowed(ground, randomUUID())),
      ])

      assert.deepEqual([bad.status, good.status, exchange.status], ['rejected', 'fulfilled', 'fulfilled'])
    })
  })
}

function counting(db: Database): { db: Database; statements: () => number } {
  let statements = 0
  const run: Database['run'] = (...statement) => {
    statements++
    return db.run(...statement)
  }
  return { db: { ...db, run }, statements: () => statements }
}
