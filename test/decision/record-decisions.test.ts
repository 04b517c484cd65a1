import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import type { Database } from '../../src/db/database.ts'
import { openPostgresql } from '../../src/db/postgresql.ts'
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

const log = createLog('silent')

for (const kind of DATABASES) {
  describe(`recording decisions on ${kind}`, () => {
    let database: TestDatabase
    let ground: Ground
    let record: ReturnType<typeof createDecisionRecorder>

    before(async () => {
      database = await openTestDatabase(kind)
      ground = await addIdentity(database.db, 'deploy@workload.example.com')
      record = createDecisionRecorder({ db: database.db, log })
    })
    after(() => database?.close())

    const row = async (id: string) => (await database.query(`select * from decisions where id = '${id}'`))[0]
    const usesOf = (jti: string) =>
      database.query(
        `select issuer_url, decision_id from used_tokens where encode(jti_hash, 'hex') = '${sha256(jti)}'`,
      )

    test('an allowed decision is stored as it was made, claims and verdict to the letter', async () => {
      const decision = allowed(ground, randomUUID())

      const recorded = await record(decision)

      assert.deepEqual(recorded, { ...decision, hasRow: true })
      const { subject_token_hash: tokenHash, ...stored } = await row(decision.id)
      assert.equal(Buffer.from(tokenHash).toString('hex'), decision.subjectTokenHash)
      assert.deepEqual(stored, {
        id: decision.id,
        kind: 'EXCHANGE',
        outcome: 'ALLOWED',
        reason: 'allowed',
        identity: ground.email,
        identity_id: ground.identityId,
        issuer_url: ground.issuerUrl,
        subject: decision.subject,
        claims: '{"b":"2","a":"1"}',
        verdict: '{"allow":true}',
        policy_digest: decision.policyDigest,
        guardrails_digest: null,
        subject_key_id: 'their-key',
        issued_key_id: decision.grant.keyId,
        issued_expire_time: new Date(NOW + 3_600_000),
        decide_time: new Date(NOW),
        request_id: decision.requestId,
        caller_ip: '198.51.100.7',
        user_agent: 'curl/8',
        project_path: 'acme/app',
        project: null,
        identity_revision: ground.identityRevision,
        caller: null,
        subject_type: null,
        permission: null,
        resource_type: null,
        resource_id: null,
        count: 1,
      })
    })

    test('a lone decision is one statement, and a hundred at once share two or three', async () => {
      const { db, statements } = counting(database.db)
      const countedRecord = createDecisionRecorder({ db, log })

      await countedRecord(allowed(ground, randomUUID()))
      const alone = statements()
      const recorded = await Promise.all(
        Array.from({ length: 100 }, () => countedRecord(allowed(ground, randomUUID()))),
      )

      assert.equal(alone, 1)
      assert.ok(statements() - alone <= 3, `${statements() - alone} statements`)
      assert.ok(recorded.every((each) => each?.outcome === 'ALLOWED'))
    })

    test('a token that stands twice in one statement is used once', async () => {
      const jti = randomUUID()
      const decisions = Array.from({ length: 30 }, () => allowed(ground, jti))

      const recorded = await Promise.all(decisions.map((each) => record(each)))

      const outcomes = Map.groupBy(recorded, (each) => `${each?.outcome} ${each?.reason}`)
      assert.equal(outcomes.get('ALLOWED allowed')?.length, 1)
      assert.equal(outcomes.get('DENIED token_replayed')?.length, 29)
      const [winner] = outcomes.get('ALLOWED allowed') ?? []
      assert.deepEqual(await usesOf(jti), [{ issuer_url: ground.issuerUrl, decision_id: winner?.id }])
    })

    test('what comes too late for its caller is not recorded, and uses no token up', async () => {
      const jti = randomUUID()
      const late = allowed(ground, jti)

      await assert.rejects(record(late, { recordBy: performance.now() - 1 }), /took too long; retry the job/)

      assert.equal(await row(late.id), undefined)
      assert.deepEqual(await usesOf(jti), [])
      assert.equal((await record(allowed(ground, jti)))?.outcome, 'ALLOWED')
    })

    test('large verdicts do not share one statement, and all are recorded', async () => {
      const verdict = JSON.stringify({ text: 'x'.repeat(400_000) })
      const decisions = Array.from({ length: 10 }, () => allowed(ground, randomUUID(), { verdict }))

      const recorded = await Promise.all(decisions.map((each) => record(each)))

      assert.deepEqual(
        recorded.map((each) => each?.outcome),
        Array(10).fill('ALLOWED'),
      )
    })

    test('a second use is stored as refused, with the verdict but without a key', async () => {
      const [jti, second] = [randomUUID(), { id: '' }]
      await record(allowed(ground, jti))

      const recorded = await record(Object.assign(second, allowed(ground, jti)))

      assert.equal(recorded?.outcome, 'DENIED')
      const stored = await row(second.id)
      assert.equal(stored.outcome, 'DENIED')
      assert.equal(stored.reason, 'token_replayed')
      assert.equal(stored.verdict, '{"allow":true}')
      assert.equal(stored.issued_key_id, null)
      assert.equal(stored.issued_expire_time, null)
    })

    test('the same jti of another issuer is another token', async () => {
      const jti = randomUUID()
      const other = await addIdentity(
        database.db,
        'other@workload.example.com',
        'https://gitlab.other.example',
      )
      await record(allowed(ground, jti))

      const recorded = await record(allowed(other, jti))

      assert.equal(recorded?.outcome, 'ALLOWED')
    })

    test('a token that may be used many times neither claims nor looks', async () => {
      const jti = randomUUID()
      await record(allowed(ground, jti))

      const recorded = await Promise.all([record(allowed(ground)), record(allowed(ground))])

      assert.deepEqual(
        recorded.map((each) => each?.outcome),
        ['ALLOWED', 'ALLOWED'],
      )
    })

    test('a refusal uses no token up', async () => {
      const jti = randomUUID()
      const before = await database.query('select count(*)::int as n from used_tokens')

      await record(denied(ground))
      await record(denied(ground, { outcome: 'FAILED', reason: 'policy_timeout' }))

      assert.deepEqual(await database.query('select count(*)::int as n from used_tokens'), before)
      assert.equal((await record(allowed(ground, jti)))?.outcome, 'ALLOWED')
    })

    test('a decision on a revision that has passed is not stored and uses no token up', async () => {
      const changed = await addIdentity(database.db, 'changed@workload.example.com')
      const [onOldIdentity, onOldIssuer, onNone] = [randomUUID(), randomUUID(), randomUUID()]
      await database.query(
        `update workload_identities set revision = nextval('revisions') where id = '${changed.identityId}'`,
      )
      const { identityRevision, issuerRevision } = ground

      const recorded = await Promise.all([
        record(allowed(changed, onOldIdentity)),
        record(
          allowed(ground, onOldIssuer, {
            decidedOn: {
              identityRevision,
              projectRevision: null,
              issuerRevision: '0',
              guardrailsRevision: null,
            },
          }),
        ),
        record(
          allowed(ground, onNone, {
            decidedOn: {
              identityRevision: null,
              projectRevision: null,
              issuerRevision,
              guardrailsRevision: null,
            },
          }),
        ),
        record(denied(changed)),
      ])

      assert.deepEqual(recorded, [undefined, undefined, undefined, undefined])
      for (const jti of [onOldIdentity, onOldIssuer, onNone]) assert.deepEqual(await usesOf(jti), [])
      assert.deepEqual(
        await database.query(`select id from decisions where identity = '${changed.email}'`),
        [],
      )
    })

    test('a decision for a signing key that does not sign any more is not stored and uses no token up', async () => {
      const jti = randomUUID()
      const { grant, ...decision } = allowed(ground, jti)
      const later = { ...decision, grant: { ...grant, keyId: 'not-the-active-one' } }

      assert.equal(await record(later), undefined)
      const [mixed, refused] = await Promise.all([record(later), record(denied(ground))])

      assert.equal(mixed, undefined)
      assert.equal(refused?.hasRow, true)
      assert.equal(await row(later.id), undefined)
      assert.deepEqual(await usesOf(jti), [])
      for (const state of ['RETIRED', 'REVOKED']) {
        await database.query(`update signing_keys set state = '${state}', encrypted_private_key = null`)
        assert.equal(await record(allowed(ground)), undefined)
        assert.equal((await record(denied(ground)))?.hasRow, true)
        await database.query(`update signing_keys set state = 'ACTIVE', encrypted_private_key = 'sealed'`)
      }
      assert.equal((await record(allowed(ground)))?.outcome, 'ALLOWED')
    })

    test('a decision on a project that changed meanwhile is not stored and uses no token up', async () => {
      const inProject = await addIdentity(database.db, 'deploy@web.workload.example.com')
      const [{ revision: projectRevision }] = await database.query(
        `insert into projects (id, title, state, create_time, update_time)
           values ('web', 'web', 'ACTIVE', now(), now()) returning revision`,
      )
      await database.query(
        `update workload_identities set project_id = 'web' where id = '${inProject.identityId}'`,
      )
      const { identityRevision, issuerRevision } = inProject
      const decidedOn = { identityRevision, projectRevision, issuerRevision, guardrailsRevision: null }
      const [withoutProject, onCurrent, onOld] = [randomUUID(), randomUUID(), randomUUID()]

      const overlooked = await record(allowed(inProject, withoutProject))
      const current = await record(allowed(inProject, onCurrent, { decidedOn }))
      await database.query(`update projects set state = 'DELETED', revision = nextval('revisions')`)
      const outdated = await record(allowed(inProject, onOld, { decidedOn }))

      assert.equal(overlooked, undefined)
      assert.equal(current?.outcome, 'ALLOWED')
      assert.equal(outdated, undefined)
      for (const jti of [withoutProject, onOld]) assert.deepEqual(await usesOf(jti), [])
    })

    test('that an identity is unknown holds until there is one', async () => {
      const unknown = { ...ground, email: 'soon@workload.example.com' }
      const facts = {
        reason: 'identity_unknown',
        identityId: null,
        verdict: null,
        policyDigest: null,
        decidedOn: {
          identityRevision: null,
          projectRevision: null,
          issuerRevision: ground.issuerRevision,
          guardrailsRevision: null,
        },
      } as const

      const first = await record(denied(unknown, facts))
      await addIdentity(database.db, unknown.email)
      const second = await record(denied(unknown, facts))

      assert.equal(first?.reason, 'identity_unknown')
      assert.equal(second, undefined)
    })

    test('a token that was not verified is recorded whatever becomes of the identity', async () => {
      const decision = denied(ground, {
        reason: 'token_signature',
        claims: null,
        decidedOn: {
          identityRevision: undefined,
          projectRevision: null,
          issuerRevision: ground.issuerRevision,
          guardrailsRevision: null,
        },
      })

      const recorded = await record(decision)

      assert.deepEqual(recorded, { ...decision, hasRow: true })
      assert.equal((await row(decision.id)).claims, null)
    })

    test('a refusal that is to have no row of its own is still held against the current revisions', async () => {
      const current = denied(ground)
      const stale = denied(ground, {
        decidedOn: {
          identityRevision: '1',
          projectRevision: null,
          issuerRevision: ground.issuerRevision,
          guardrailsRevision: null,
        },
      })

      const recorded = await Promise.all([current, stale].map((each) => record(each, { keepRefusal: false })))

      assert.deepEqual(recorded, [{ ...current, hasRow: false }, undefined])
      assert.equal(await row(current.id), undefined)
    })

    test('neither has a second use that is to have none, while a first one has its row all the same', async () => {
      const jti = randomUUID()
      const [first, second] = [allowed(ground, jti), allowed(ground, jti)]

      const used = await record(first, { keepRefusal: false })
      const replayed = await record(second, { keepRefusal: false })

      assert.deepEqual([used?.outcome, used?.hasRow], ['ALLOWED', true])
      assert.deepEqual([replayed?.reason, replayed?.hasRow], ['token_replayed', false])
      assert.equal((await row(first.id)).outcome, 'ALLOWED')
      assert.equal(await row(second.id), undefined)
    })

    test('a refusal without a row that stood on nothing stored takes no statement', async () => {
      const { db, statements } = counting(database.db)
      const malformed = denied(ground, {
        reason: 'token_malformed',
        issuerUrl: null,
        decidedOn: {
          identityRevision: undefined,
          projectRevision: null,
          issuerRevision: null,
          guardrailsRevision: null,
        },
      })

      const recorded = await createDecisionRecorder({ db, log })(malformed, { keepRefusal: false })

      assert.deepEqual(recorded, { ...malformed, hasRow: false })
      assert.equal(statements(), 0)
    })

    test('dry runs of one token for one identity have one row, in one statement and in several', async () => {
      const other = await addIdentity(database.db, 'explained@workload.example.com')
      const subjectTokenHash = sha256(randomUUID())
      const runs = [...Array(20)].map(() => dryRun(ground, { subjectTokenHash }))

      const together = await Promise.all(runs.map((each) => record(each)))
      const later = await record(dryRun(ground, { subjectTokenHash }))
      const elsewhere = await record(dryRun(other, { subjectTokenHash }))

      assert.ok([...together, later].every((each) => each?.outcome === 'ALLOWED'))
      assert.equal(together.filter((each) => each?.hasRow).length, 1)
      assert.deepEqual([later?.hasRow, elsewhere?.hasRow], [false, true])
      const rows = await database.query(`select kind, identity, outcome, reason, issued_key_id from decisions
        where encode(subject_token_hash, 'hex') = '${subjectTokenHash}' order by identity`)
      const row = { kind: 'DRY_RUN', outcome: 'ALLOWED', reason: 'allowed', issued_key_id: null }
      assert.deepEqual(rows, [
        { ...row, identity: ground.email },
        { ...row, identity: other.email },
      ])
    })

    test('a dry run uses no token up, and one that is to have no row leaves it to a later one', async () => {
      const jti = randomUUID()
      const refused = dryRun(ground, { outcome: 'DENIED', reason: 'condition_not_met' })

      await record(dryRun(ground))
      const withoutRow = await record(refused, { keepRefusal: false })
      const withRow = await record({ ...refused, id: newDecisionId() })

      assert.deepEqual([withoutRow?.hasRow, withRow?.hasRow], [false, true])
      assert.equal((await record(allowed(ground, jti)))?.outcome, 'ALLOWED')
    })

    test('a dry run on a revision that is no longer current is to be made again', async () => {
      const stale = dryRun(ground, {
        decidedOn: {
          identityRevision: '1',
          projectRevision: null,
          issuerRevision: ground.issuerRevision,
          guardrailsRevision: null,
        },
      })

      assert.equal(await record(stale), undefined)
    })

    test('a row that the database refuses fails alone, and its token stays unused', async () => {
      const poisoned = await addIdentity(database.db, 'poisoned@workload.example.com')
      await failInsertsOf(database, poisoned.email)
      const [bad, good] = [randomUUID(), Array.from({ length: 20 }, () => randomUUID())]

      const settled = await Promise.allSettled([
        ...good.slice(0, 10).map((jti) => record(allowed(ground, jti))),
        record(allowed(poisoned, bad)),
        ...good.slice(10).map((jti) => record(allowed(ground, jti))),
      ])

      assert.equal(
        settled.filter((each) => each.status === 'fulfilled' && each.value?.outcome === 'ALLOWED').length,
        20,
      )
      const [rejected, ...others] = settled.filter((each) => each.status === 'rejected')
      assert.equal(others.length, 0)
      assert.equal(rejected?.reason.code, 'unavailable')
      assert.deepEqual(await usesOf(bad), [])
      assert.deepEqual(
        await database.query(`select id from decisions where identity = '${poisoned.email}'`),
        [],
      )
    })

    test('a constraint that fails only at the commit fails its own row, and nothing of it stays', async () => {
      const late = await addIdentity(database.db, 'late@workload.example.com')
      const [bad, good] = [randomUUID(), Array.from({ length: 5 }, () => randomUUID())]
      await failAtCommit(database, sha256(bad))

      const settled = await Promise.allSettled([
        ...good.map((jti) => record(allowed(ground, jti))),
        record(allowed(late, bad)),
      ])

      assert.deepEqual(
        settled.map(({ status }) => status),
        [...good.map(() => 'fulfilled'), 'rejected'],
      )
      assert.deepEqual(await usesOf(bad), [])
      assert.deepEqual(await database.query(`select id from decisions where identity = '${late.email}'`), [])
    })

    test('text that PostgreSQL cannot hold fails its own row alone', async () => {
      const settled = await Promise.allSettled([
        record(allowed(ground, randomUUID())),
        record(denied(ground, { userAgent: 'a\0b' })),
        record(denied(ground, { userAgent: 'a\ud800b' })),
        record(allowed(ground, randomUUID())),
      ])

      assert.deepEqual(
        settled.map(({ status }) => status),
        ['fulfilled', 'rejected', 'rejected', 'fulfilled'],
      )
    })

    test('text that would be SQL is text', async () => {
      const decision = denied(ground, {
        userAgent: `'); drop table decisions; --`,
        subject: '$1\u2028{1,2}\\"',
      })

      await record(decision)

      const stored = await row(decision.id)
      assert.equal(stored.user_agent, decision.userAgent)
      assert.equal(stored.subject, decision.subject)
    })

    test('an id that is taken is refused, and the first row stands', async () => {
      const first = denied(ground)
      await record(first)

      await assert.rejects(record({ ...allowed(ground, randomUUID()), id: first.id }), {
        code: 'unavailable',
      })

      assert.equal((await row(first.id)).outcome, 'DENIED')
    })

    test('what waits is bounded: the rest is turned away at once, and what waits is recorded', async () => {
      const { db, open } = gated(database.db)
      const gatedRecord = createDecisionRecorder({ db, log })
      // One in the first statement, twenty-eight in the second, and two thousand behind them.
      const waiting = Array.from({ length: 2_029 }, () => gatedRecord(denied(ground)))

      await assert.rejects(gatedRecord(denied(ground)), { code: 'unavailable' })

      open()
      const recorded = await Promise.all(waiting)
      assert.ok(recorded.every((each) => each?.outcome === 'DENIED'))
    })

    test('a statement that is lost fails everybody in it, and the next is recorded', async () => {
      const { db, breakNext } = breakable(database.db)
      const brokenRecord = createDecisionRecorder({ db, log })
      breakNext()

      const settled = await Promise.allSettled([brokenRecord(denied(ground)), brokenRecord(denied(ground))])
      const next = await brokenRecord(denied(ground))

      assert.equal(settled[0]?.status, 'rejected')
      assert.equal(next?.outcome, 'DENIED')
    })
  })
}

describe('several instances record on postgresql', {
  skip: !DATABASES.includes('postgresql' as never),
}, () => {
  let database: TestDatabase
  let ground: Ground
  const instances: Database[] = []

  before(async () => {
    database = await openTestDatabase('postgresql')
    ground = await addIdentity(database.db, 'deploy@workload.example.com')
    for (let index = 0; index < 4; index++) instances.push(openPostgresql(database.url ?? '', log))
  })
  after(async () => {
    for (const instance of instances) await instance.close()
    await database?.close()
  })

  const recorders = () => instances.map((db) => createDecisionRecorder({ db, log }))

  test('the same 64 tokens in opposite order: none is lost, each is used once', async () => {
    const [forwards, backwards] = recorders()
    const rounds = 25

    for (let round = 0; round < rounds; round++) {
      const jtis = Array.from({ length: 64 }, () => randomUUID())
      // The first of each keeps its recorder busy while the others gather in one statement.
      const first = [forwards?.(denied(ground)), backwards?.(denied(ground))]
      const recorded = await Promise.all([
        ...jtis.map((jti) => forwards?.(allowed(ground, jti))),
        ...jtis.toReversed().map((jti) => backwards?.(allowed(ground, jti))),
        ...first,
      ])

      assert.equal(recorded.filter((each) => each?.outcome === 'ALLOWED').length, 64)
      assert.equal(recorded.filter((each) => each?.reason === 'token_replayed').length, 64)
    }
  })

  test('one token two hundred times at once: one use', async () => {
    const jti = randomUUID()
    const all = recorders()

    const recorded = await Promise.all(
      Array.from({ length: 200 }, (_, index) => all[index % all.length]?.(allowed(ground, jti))),
    )

    assert.equal(recorded.filter((each) => each?.outcome === 'ALLOWED').length, 1)
    assert.equal(recorded.filter((each) => each?.reason === 'token_replayed').length, 199)
    const rows = await database.query(
      `select outcome from decisions where id in (${recorded.map((each) => `'${each?.id}'`).join()}) and outcome = 'ALLOWED'`,
    )
    assert.equal(rows.length, 1)
  })

  test('a change of the identity holds for the next decision on every instance', async () => {
    const changing = await addIdentity(database.db, 'changing@workload.example.com')
    const all = recorders()
    let previous = changing

    for (let change = 0; change < 5; change++) {
      const [row] = await database.query(
        `update workload_identities set revision = nextval('revisions') where email = '${changing.email}' returning revision`,
      )
      const current = { ...changing, identityRevision: row.revision }
      const onPrevious = await Promise.all(all.map((record) => record(allowed(previous, randomUUID()))))
      const onCurrent = await Promise.all(all.map((record) => record(allowed(current, randomUUID()))))
      previous = current

      assert.ok(onPrevious.every((each) => each === undefined))
      assert.ok(onCurrent.every((each) => each?.outcome === 'ALLOWED'))
    }
  })
})

/** The database, with its statements counted. */
function counting(db: Database): { db: Database; statements: () => number } {
  let count = 0
  return {
    db: {
      ...db,
      run(statement, values) {
        count++
        return db.run(statement, values)
      },
    },
    statements: () => count,
  }
}

/** The database behind a gate: statements wait until it is opened. */
function gated(db: Database): { db: Database; open: () => void } {
  const gate = Promise.withResolvers<void>()
  return {
    db: {
      ...db,
      async run(statement, values) {
        await gate.promise
        return db.run(statement, values)
      },
    },
    open: gate.resolve,
  }
}

/** The database, which loses the connection once, after it did its work. */
function breakable(db: Database): { db: Database; breakNext: () => void } {
  let isBroken = false
  return {
    db: {
      ...db,
      async run(statement, values) {
        const lost = isBroken
        isBroken = false
        const rows = await db.run<never>(statement, values)
        if (lost) throw new Error('Connection terminated unexpectedly')
        return rows
      },
    },
    breakNext() {
      isBroken = true
    },
  }
}

async function failInsertsOf(database: TestDatabase, email: string): Promise<void> {
  await database.query(`create or replace function fail_insert() returns trigger language plpgsql as $$
    begin raise exception 'this row is refused'; end $$`)
  await database.query(`create trigger fail_insert before insert on decisions for each row
    when (new.identity = '${email}') execute function fail_insert()`)
}

async function failAtCommit(database: TestDatabase, jtiHash: string): Promise<void> {
  await database.query(`create or replace function fail_insert() returns trigger language plpgsql as $$
    begin raise exception 'this row is refused'; end $$`)
  await database.query(`create constraint trigger fail_at_commit after insert on used_tokens deferrable initially deferred
    for each row when (encode(new.jti_hash, 'hex') = '${jtiHash}') execute function fail_insert()`)
}
