import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import pg from 'pg'
import { assertProblem } from '../support/answers.ts'
import { startGitlab } from '../support/gitlab.ts'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { type Cluster, startCluster } from '../support/postgres.ts'
import { startServiceProcess } from '../support/service-process.ts'
import {
  createDatabase,
  DATABASES,
  IDENTITY_DOMAIN,
  runSql,
  startWorld,
  type World,
} from '../support/world.ts'
import { assertInvariants, committedIds, eventually, healthyAgain, startLoad } from './invariants.ts'

const RULE = { id: 'deploy', group: 'acme', project: 'app', refs: [{ type: 'BRANCH', pattern: 'main' }] }
/** An answer has eight seconds; a machine that is busy may be late with it. */
const ANSWERED_MS = 10_000
const SKIP = !DATABASES.includes('postgresql' as never)

describe('with a PostgreSQL server that fails', { skip: SKIP }, () => {
  let cluster: Cluster
  let world: World
  let email: string

  before(async () => {
    const started = await startCluster(['max_connections=40', 'fsync=on'])
    assert.ok(started)
    cluster = started
    await runSql(`${cluster.url}/postgres`, 'create database claimgate')
    await runSql(`${cluster.url}/postgres`, 'create role service login')
    world = await startWorld('postgresql', {
      DATABASE_URL: `${cluster.url.replace('postgres@', 'service@')}/claimgate`,
      MIGRATION_DATABASE_URL: `${cluster.url}/claimgate`,
    })
    email = await world.createIdentity([RULE])
  })
  after(async () => {
    await world?.close()
    cluster?.stop()
  })

  const url = () => `${cluster.url}/claimgate`
  const jobToken = () => world.gitlab.signToken(gitlabClaims('18.4'))
  const start = () => cluster.control('restart', '-l', join(cluster.dataDir, '..', 'log'))
  const status = async (path: string) => (await world.request('GET', path)).status

  for (const [how, signal] of [
    ['is shut down', 'SIGINT'],
    ['crashes', 'SIGQUIT'],
  ] as const) {
    test(`it ${how} under load and comes back: nothing is handed out unrecorded, and it recovers by itself`, async () => {
      const load = startLoad(world, email)
      await eventually('exchanges succeed', () => load.count(200) > 30)
      const earlier = await committedIds(url())

      process.kill(postmasterId(cluster), signal)
      await eventually('exchanges are refused for want of a database', () => load.count(503) > 30)
      assert.equal(await status('/healthz'), 200)
      await eventually('it is not ready', async () => (await status('/readyz')) === 503)
      // It ends only after it refused every connection that began, and those need this process to go on meanwhile.
      await eventually('it is gone', () => !existsSync(join(cluster.dataDir, 'postmaster.pid')))
      start()
      await healthyAgain(world, email)

      await assertInvariants(url(), email, await load.stop(), earlier)
      await eventually('it is ready', async () => (await status('/readyz')) === 200)
    })
  }

  test('it loses a backend to a kill under load and restarts: nothing is handed out unrecorded', async () => {
    const load = startLoad(world, email)
    await eventually('exchanges succeed', () => load.count(200) > 30)
    const earlier = await committedIds(url())
    const [backend] = await runSql(
      url(),
      `select pid from pg_stat_activity where usename = 'service' and query like '%json_to_recordset%' order by query_start desc`,
    )

    process.kill(backend?.pid, 'SIGKILL')
    await eventually('exchanges are refused for want of a database', () => load.count(503) > 0)
    await healthyAgain(world, email)

    await assertInvariants(url(), email, await load.stop(), earlier)
  })

  test('while it is away, an answer is 503 with Retry-After, for a good token and for a bad one', async () => {
    const token = jobToken()
    cluster.control('stop', '-m', 'immediate')

    const answers = [
      await world.exchange(token, email),
      await world.exchange('no token', email),
      await world.exchange(jobToken(), `unknown@${IDENTITY_DOMAIN}`),
      await world.admin('GET', '/v1/decisions'),
    ]
    start()
    await healthyAgain(world, email)

    for (const answer of answers) {
      assertProblem(answer, 503, 14, /./)
      assert.doesNotMatch(answer.text, /accessToken|eyJ|ECONN|127\.0\.0\.1|postgres/)
    }
    assert.equal((await world.exchange(token, email)).status, 200)
  })

  test('it falls silent: every answer comes in time, and none is a token', async () => {
    const earlier = await committedIds(url())
    const load = startLoad(world, email, 4)
    await eventually('exchanges succeed', () => load.count(200) > 10)
    const processes = processesOf(cluster)
    for (const id of processes) process.kill(id, 'SIGSTOP')

    const started = performance.now()
    const token = jobToken()
    const answers = await Promise.all([
      world.exchange(token, email),
      world.exchange(jobToken(), `unknown@${IDENTITY_DOMAIN}`),
    ]).finally(() => {
      for (const id of processes) process.kill(id, 'SIGCONT')
    })
    const took = performance.now() - started
    await healthyAgain(world, email)
    const again = await world.exchange(token, email)

    for (const answer of answers) assert.equal(answer.status, 503)
    assert.ok(took < ANSWERED_MS, `${took} ms`)
    assert.ok([200, 403].includes(again.status), again.text)
    const attempts = await load.stop()
    await assertInvariants(url(), email, [...attempts, { token, answer: again }], earlier)
  })

  test('it has no connection left for us: 503 until it has', async () => {
    await runSql(url(), 'alter role service connection limit 0')
    await runSql(url(), `select pg_terminate_backend(pid) from pg_stat_activity where usename = 'service'`)

    const answer = await world.exchange(jobToken(), email)
    await runSql(url(), 'alter role service connection limit -1')
    await healthyAgain(world, email)

    assertProblem(answer, 503, 14, /./)
    assert.doesNotMatch(answer.text, /connection|service/)
  })

  test('all our connections wait for a lock: every wait ends, and all is well afterwards', async (t) => {
    const locker = new pg.Client({ connectionString: url() })
    t.after(() => locker.end())
    await locker.connect()
    await locker.query('begin; lock table workload_identities in access exclusive mode')

    const started = performance.now()
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, index) =>
        world.exchange(jobToken(), `unknown-${index}@${IDENTITY_DOMAIN}`),
      ),
    )
    const took = performance.now() - started
    await locker.query('rollback')
    await healthyAgain(world, email)

    for (const answer of answers) assert.equal(answer.status, 503, answer.text)
    assert.ok(took < ANSWERED_MS, `${took} ms`)
  })
})

describe('a clock that jumps years ahead', { skip: SKIP }, () => {
  test('loses no decision: the row lies outside of the monthly partitions', async (t) => {
    const world = await startWorld('postgresql')
    t.after(() => world.close())
    const email = await world.createIdentity([RULE])
    world.clock.advance(5 * 365 * 86_400_000)

    const answer = await world.exchange(world.gitlab.signToken(gitlabClaims('18.4')), email)
    const [row] = await runSql(
      world.databaseUrl ?? '',
      `select tableoid::regclass::text as name from decisions where id = $1`,
      [answer.json.decisionId],
    )

    assert.equal(answer.status, 200)
    assert.equal(row?.name, 'decisions_default')
  })
})

describe('the service as a process', { skip: SKIP }, () => {
  let database: Awaited<ReturnType<typeof createDatabase>>
  let gitlab: Awaited<ReturnType<typeof startGitlab>>
  let env: Record<string, string>
  const adminToken = randomBytes(24).toString('hex')

  before(async () => {
    database = await createDatabase()
    gitlab = await startGitlab({ clock: Date.now })
    env = {
      PORT: '0',
      PUBLIC_URL: 'https://claimgate.example.com',
      IDENTITY_DOMAIN,
      DATABASE_URL: database.url,
      ADMIN_TOKEN: adminToken,
      KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
      PRIVATE_ISSUERS: gitlab.issuerUrl,
    }
  })
  after(async () => {
    await gitlab?.close()
    await database?.drop()
  })

  const jobToken = () => gitlab.signToken(gitlabClaims('18.4'))
  const post = async (url: string, path: string, body: object) => {
    const response = await fetch(`${url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${adminToken}` },
      body: JSON.stringify(body),
    })
    // biome-ignore lint/suspicious/noExplicitAny: bodies of several shapes
    return { status: response.status, json: (await response.json()) as any }
  }

  test('is killed under load: what it handed out is recorded, and the next process goes on with the same key', async () => {
    const first = await startServiceProcess(env)
    const created = await post(
      first.url,
      '/v1/workspaces/default/workloadIdentities?workloadIdentityId=deploy',
      {
        title: 'Deploy',
        workloadIdentityConfig: { providerType: 'GITLAB', issuerUrl: gitlab.issuerUrl, rules: [RULE] },
      },
    )
    assert.equal(created.status, 200, JSON.stringify(created.json))
    const given: string[] = []
    const exchange = (url: string) =>
      post(url, '/v1/auth:exchangeToken', { token: jobToken(), email: created.json.email })
    const worker = async () => {
      // Whatever is in flight when the process dies is lost, and ends this.
      for (
        let answer = await exchange(first.url);
        answer.status === 200;
        answer = await exchange(first.url)
      ) {
        given.push(answer.json.decisionId)
      }
    }
    const workers = Array.from({ length: 8 }, () => worker().catch(() => undefined))
    await eventually('exchanges succeed', () => given.length > 50)

    await first.stop('SIGKILL')
    await Promise.all(workers)
    const second = await startServiceProcess(env)
    const next = await exchange(second.url)

    const rows = await runSql(database.url, `select id, outcome from decisions where outcome = 'ALLOWED'`)
    const recorded = new Set(rows.map(({ id }) => id))
    assert.deepEqual(
      given.filter((id) => !recorded.has(id)),
      [],
    )
    assert.equal(next.status, 200)
    assert.equal((await runSql(database.url, 'select kid from signing_keys')).length, 1)
    assert.equal(await second.stop('SIGTERM'), 0)
  })

  test('stops when it is told to, with the exchanges answered that it had accepted', async () => {
    const service = await startServiceProcess(env)
    const email = `deploy@${IDENTITY_DOMAIN}`
    const accepted = Array.from({ length: 20 }, () =>
      post(service.url, '/v1/auth:exchangeToken', { token: jobToken(), email }),
    )
    await eventually(
      'one is answered',
      async () => (await Promise.race([accepted[0], undefined])) !== undefined,
    )

    const code = await service.stop('SIGTERM')

    assert.equal(code, 0)
    const answers = await Promise.all(accepted)
    for (const answer of answers) assert.equal(answer.status, 200)
    assert.match(service.lines.join('\n'), /"msg":"stopped"/)
  })

  test('does not start with another encryption key, says why, and tells no secret', async () => {
    const other = randomBytes(32).toString('base64')

    const starting = startServiceProcess({ ...env, KEY_ENCRYPTION_KEY: other })

    await assert.rejects(starting, (error: Error) => {
      assert.match(error.message, /It ended with 2: .*No KEY_ENCRYPTION_KEY opens the signing key/s)
      for (const secret of [other, adminToken, env.KEY_ENCRYPTION_KEY ?? ''])
        assert.ok(!error.message.includes(secret))
      return true
    })
  })

  test('starts several times at once on an empty database: they agree on one signing key', async (t) => {
    const empty = await createDatabase()
    t.after(() => empty.drop())

    const services = await Promise.all(
      Array.from({ length: 3 }, () => startServiceProcess({ ...env, DATABASE_URL: empty.url })),
    )

    const published = await Promise.all(
      services.map(async ({ url }) => (await fetch(`${url}/.well-known/jwks.json`)).text()),
    )
    assert.equal(new Set(published).size, 1)
    assert.equal(JSON.parse(published[0] ?? '').keys.length, 1)
    for (const service of services) await service.stop()
  })

  test('starts with several encryption keys, in any order', async () => {
    const several = `${randomBytes(32).toString('base64')},${env.KEY_ENCRYPTION_KEY}`

    const service = await startServiceProcess({ ...env, KEY_ENCRYPTION_KEY: several })

    assert.equal(await service.stop('SIGTERM'), 0)
  })

  test('says every mistake of its configuration at once and ends with 2', async () => {
    const starting = startServiceProcess({
      ...env,
      PORT: 'x',
      LOG_LEVEL: 'loud',
      ADMIN_TOKEN: 'too-short-a-secret',
    })

    await assert.rejects(starting, (error: Error) => {
      assert.match(
        error.message,
        /It ended with 2: (?=.*PORT must)(?=.*LOG_LEVEL must)(?=.*ADMIN_TOKEN must)/s,
      )
      assert.doesNotMatch(error.message, /too-short-a-secret|at file:/)
      return true
    })
  })
})

/** The first line of a PostgreSQL server's lock file. */
function postmasterId(cluster: Cluster): number {
  return Number(readFileSync(join(cluster.dataDir, 'postmaster.pid'), 'utf8').split('\n')[0])
}

/** The server's process and its backends. */
function processesOf(cluster: Cluster): readonly number[] {
  const parent = postmasterId(cluster)
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((id) => parentOf(id) === parent)
  return [parent, ...children.map(Number)]
}

function parentOf(id: string): number | undefined {
  try {
    // The name, in brackets, may hold spaces.
    return Number(readFileSync(`/proc/${id}/stat`, 'utf8').split(') ').at(-1)?.split(' ')[1])
  } catch {
    return undefined
  }
}
