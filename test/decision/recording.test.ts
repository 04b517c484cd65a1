import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import pg from 'pg'
import { assertProblem } from '../support/answers.ts'
import { startDatabaseProxy } from '../support/database-proxy.ts'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { type Answer, createDatabase, DATABASES, runSql, startWorld, type World } from '../support/world.ts'
import { assertInvariants, eventually, healthyAgain, startLoad } from './invariants.ts'

const RULE = { id: 'deploy', group: 'acme', project: 'app', refs: [{ type: 'BRANCH', pattern: 'main' }] }

for (const kind of DATABASES) {
  describe(`exchanges are recorded before they are answered, on ${kind}`, () => {
    let world: World
    let email: string
    /** Two services on one database; the embedded one serves a single process. */
    let urls: readonly string[]

    before(async () => {
      world = await startWorld(kind)
      email = await world.createIdentity([RULE])
      urls = [world.app.url, kind === 'postgresql' ? (await world.startInstance()).url : world.app.url]
    })
    after(() => world?.close())

    const jobToken = (claims = {}) => world.gitlab.signToken(gitlabClaims('18.4', claims))
    const exchangeAt = (instance: number, token: string, identity = email) =>
      world.request('POST', '/v1/auth:exchangeToken', {
        body: { token, email: identity },
        url: urls[instance % urls.length] ?? '',
      })

    test('a hundred exchanges of one token at once over two instances give one access token', async () => {
      const token = jobToken()
      await Promise.all([exchangeAt(0, jobToken()), exchangeAt(1, jobToken())])

      const answers = await Promise.all(Array.from({ length: 100 }, (_, index) => exchangeAt(index, token)))

      const [winner, ...others] = answers.filter(({ status }) => status === 200)
      assert.equal(others.length, 0)
      const losers = answers.filter(({ status }) => status === 403)
      assert.equal(losers.length, 99)
      for (const loser of losers) {
        assert.equal(loser.json.details[0].reason, 'token_replayed')
        assert.ok(loser.json.message.includes(winner?.json.decisionId), loser.json.message)
        assert.doesNotMatch(loser.text, /accessToken/)
      }
      const rows = (await world.decisions(email)).filter(({ claims }) => jtiOf(claims) === jtiIn(token))
      const outcomes = Map.groupBy(rows, ({ outcome, reason }) => `${outcome} ${reason}`)
      assert.deepEqual(Object.fromEntries([...outcomes].map(([outcome, each]) => [outcome, each.length])), {
        'ALLOWED allowed': 1,
        'DENIED token_replayed': 99,
      })
    })

    test('a deletion holds for the next exchange on the instance that knew the identity', async () => {
      const identity = await world.createIdentity([RULE])
      const before = await exchangeAt(1, jobToken(), identity)

      await world.admin('DELETE', `/v1/workloadIdentities/${identity}`)
      const after = await exchangeAt(1, jobToken(), identity)

      assert.equal(before.status, 200)
      assert.equal(after.status, 401)
      const [latest] = await world.decisions(identity)
      assert.equal(latest?.reason, 'identity_inactive')
    })

    test('an identity that is made again under its email is decided by its new rules everywhere', async () => {
      const id = `again-${kind}`
      const identity = await world.createIdentity([RULE], { id })
      const first = await exchangeAt(1, jobToken(), identity)
      await world.admin('DELETE', `/v1/workloadIdentities/${identity}`)
      await world.createIdentity([{ ...RULE, refs: [{ type: 'BRANCH', pattern: 'stable' }] }], { id })

      const onMain = await exchangeAt(1, jobToken(), identity)
      const onStable = await exchangeAt(1, jobToken({ ref: 'stable' }), identity)

      assert.deepEqual(
        [first, onMain, onStable].map(({ status }) => status),
        [200, 403, 200],
      )
      const [latest, , oldest] = await world.decisions(identity)
      assert.notEqual(latest?.policyDigest, oldest?.policyDigest)
    })

    test('an identity that was unknown is known as soon as it is made', async () => {
      const id = `soon-${kind}`
      const before = await exchangeAt(1, jobToken(), `${id}@workload.example.com`)

      const identity = await world.createIdentity([RULE], { id })
      const after = await exchangeAt(1, jobToken(), identity)

      assert.deepEqual([before.status, after.status], [401, 200])
    })

    test('changes race with exchanges: nothing is handed out on a deleted identity', async () => {
      const id = `race-${kind}`
      const identity = await world.createIdentity([RULE], { id })
      const exchanges: Promise<{ answer: Answer; deletedBefore: boolean }>[] = []
      let isDeleted = false
      const send = async (index: number) => {
        const deletedBefore = isDeleted
        return { answer: await exchangeAt(index, jobToken(), identity), deletedBefore }
      }

      for (let index = 0; index < 10; index++) exchanges.push(send(index))
      await world.admin('DELETE', `/v1/workloadIdentities/${identity}`)
      isDeleted = true
      for (let index = 0; index < 10; index++) exchanges.push(send(index))

      const settled = await Promise.all(exchanges)
      for (const { answer, deletedBefore } of settled) {
        if (deletedBefore) assert.equal(answer.status, 401)
        else assert.ok([200, 401].includes(answer.status), answer.text)
      }
    })
  })
}

describe('PostgreSQL refuses', { skip: !DATABASES.includes('postgresql' as never) }, () => {
  let database: Awaited<ReturnType<typeof createDatabase>>
  let proxy: Awaited<ReturnType<typeof startDatabaseProxy>>
  let world: World
  let email: string

  before(async () => {
    database = await createDatabase()
    proxy = await startDatabaseProxy(database.url)
    world = await startWorld('postgresql', { DATABASE_URL: proxy.url })
    email = await world.createIdentity([RULE])
    await sql(`create function fail() returns trigger language plpgsql as $$
      begin raise exception 'this is refused'; end $$`)
  })
  after(async () => {
    await world?.close()
    await proxy?.close()
    await database?.drop()
  })

  const sql = (text: string, values: readonly unknown[] = []) => runSql(database.url, text, values)
  const jobToken = (claims = {}) => world.gitlab.signToken(gitlabClaims('18.4', claims))
  const rowsOf = (token: string) =>
    sql(`select id, outcome, reason from decisions where claims::json->>'jti' = $1 order by id`, [
      jtiIn(token),
    ])
  const assertUnavailable = (answer: Answer) => {
    assertProblem(answer, 503, 14, /could not be recorded; retry the job|does not answer/)
    assert.doesNotMatch(answer.text, /accessToken|eyJ|refused|postgres|ECONN|decisions/)
  }

  test('nothing: a warm exchange is one round trip', async () => {
    const token = jobToken()
    await Promise.all(Array.from({ length: 3 }, () => world.exchange(jobToken(), email)))
    const start = proxy.roundTrips()

    const answer = await world.exchange(token, email)
    const trips = proxy.roundTrips() - start

    assert.equal(answer.status, 200)
    assert.equal(trips, 1)
  })

  test('all decisions: no token leaves, refusals cannot be recorded either, and the same tokens are good afterwards', async () => {
    const tokens = Array.from({ length: 20 }, () => jobToken())
    await sql('create trigger refuse_all before insert on decisions for each row execute function fail()')

    const answers = await Promise.all(tokens.map((token) => world.exchange(token, email)))
    const refusals = [
      await world.exchange('no token', email),
      await world.exchange(jobToken({ ref: 'other' }), email),
    ]
    await sql('drop trigger refuse_all on decisions')
    const again = await Promise.all(tokens.map((token) => world.exchange(token, email)))

    for (const answer of [...answers, ...refusals]) assertUnavailable(answer)
    for (const answer of again) assert.equal(answer.status, 200, answer.text)
    for (const token of tokens) assert.equal((await rowsOf(token)).length, 1)
  })

  test('the decisions of one identity: those of others in the same statement go through', async () => {
    const poisoned = await world.createIdentity([RULE])
    await sql(`create trigger refuse_one before insert on decisions for each row
      when (new.identity = '${poisoned}') execute function fail()`)
    const [good, bad] = [
      Array.from({ length: 30 }, () => jobToken()),
      Array.from({ length: 3 }, () => jobToken()),
    ]

    const [goodAnswers, badAnswers] = await Promise.all([
      Promise.all(good.map((token) => world.exchange(token, email))),
      Promise.all(bad.map((token) => world.exchange(token, poisoned))),
    ])
    await sql('drop trigger refuse_one on decisions')
    const badAgain = await Promise.all(bad.map((token) => world.exchange(token, poisoned)))

    for (const answer of goodAnswers) assert.equal(answer.status, 200, answer.text)
    for (const answer of badAnswers) assertUnavailable(answer)
    for (const answer of badAgain) assert.equal(answer.status, 200, answer.text)
  })

  test('at the commit: no token leaves, no row stays, and the token is good afterwards', async () => {
    const token = jobToken()
    await sql(`create constraint trigger refuse_late after insert on used_tokens deferrable initially deferred
      for each row execute function fail()`)

    const answer = await world.exchange(token, email)
    const rows = await rowsOf(token)
    await sql('drop trigger refuse_late on used_tokens')
    const again = await world.exchange(token, email)

    assertUnavailable(answer)
    assert.deepEqual(rows, [])
    assert.equal(again.status, 200, again.text)
  })

  test('to say that it committed: the row stands, no token leaves, and none for a second try', async () => {
    const token = jobToken()
    proxy.loseNextCommit()

    const answer = await world.exchange(token, email)
    const again = await world.exchange(token, email)

    assertUnavailable(answer)
    const [first, second, ...more] = await rowsOf(token)
    assert.deepEqual([first?.outcome, second?.reason, more], ['ALLOWED', 'token_replayed', []])
    assert.equal(again.status, 403)
    assert.equal(again.json.details[0].reason, 'token_replayed')
    assert.ok(again.json.message.includes(first?.id))
    assert.doesNotMatch(again.text, /accessToken/)
    assert.equal((await world.exchange(jobToken(), email)).status, 200)
  })

  test('access to a locked table: the wait has an end, and the token is good afterwards', async (t) => {
    const token = jobToken()
    const locker = new pg.Client({ connectionString: database.url })
    t.after(() => locker.end())
    await locker.connect()
    await locker.query('begin; lock table decisions in access exclusive mode')

    const started = performance.now()
    const answer = await world.exchange(token, email)
    const took = performance.now() - started
    await locker.query('rollback')
    const again = await world.exchange(token, email)

    assertUnavailable(answer)
    assert.ok(took < 6_000, `${took} ms`)
    assert.equal(again.status, 200, again.text)
  })

  test('to write: it is not ready, says so, and recovers by itself', async () => {
    const token = jobToken()
    const name = new URL(database.url).pathname.slice(1)
    const drop = `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}' and application_name = 'claimgate'`
    await sql(`alter database ${name} set default_transaction_read_only = on`)
    await sql(drop)

    await eventually('it is not ready', async () => (await world.request('GET', '/readyz')).status === 503)
    const answer = await world.exchange(token, email)
    await runSql(
      database.url.replace(name, 'postgres'),
      `alter database ${name} reset default_transaction_read_only`,
    )
    await sql(drop)
    await healthyAgain(world, email)

    assertUnavailable(answer)
    assert.equal((await world.exchange(token, email)).status, 200)
    await eventually('it is ready', async () => (await world.request('GET', '/readyz')).status === 200)
  })

  test('to go on with connections that it ended under load: no invariant breaks', async () => {
    const load = startLoad(world, email)
    const drop = `select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and application_name = 'claimgate'`

    for (let round = 1; round <= 10; round++) {
      await eventually('exchanges succeed', () => load.count(200) >= round * 10)
      await sql(drop)
    }
    await healthyAgain(world, email)

    await assertInvariants(database.url, email, await load.stop())
  })

  test('to hold an identity still: it is decided three times, then the caller is to try again', async () => {
    const token = jobToken()
    await sql(`alter table workload_identities rename to identities_that_change`)
    const columns = await sql(`select string_agg(column_name, ', ') as names from information_schema.columns
      where table_name = 'identities_that_change' and column_name <> 'revision'`)
    await sql(`create view workload_identities as
      select ${columns[0]?.names}, nextval('revisions') as revision from identities_that_change`)

    const answer = await world.exchange(token, email)
    await sql('drop view workload_identities')
    await sql('alter table identities_that_change rename to workload_identities')
    const again = await world.exchange(token, email)

    assertUnavailable(answer)
    assert.equal(again.status, 200, again.text)
    assert.equal((await rowsOf(token)).length, 1)
  })

  test('nothing, but the revision moved: it is decided once more and recorded once', async () => {
    const token = jobToken()
    await sql(`update workload_identities set revision = nextval('revisions') where email = '${email}'`)
    await sql(`update issuers set revision = nextval('revisions')`)

    const answer = await world.exchange(token, email)

    assert.equal(answer.status, 200, answer.text)
    assert.equal((await rowsOf(token)).length, 1)
  })
})

function jtiIn(token: string): string {
  return jtiOf(JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()))
}

function jtiOf(claims: unknown): string {
  return (claims as { jti?: string } | null)?.jti ?? ''
}
