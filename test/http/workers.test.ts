import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { after, afterEach, before, describe, test } from 'node:test'
import { eventually } from '../decision/invariants.ts'
import { parseExposition, sumOf } from '../support/exposition.ts'
import { type Gitlab, startGitlab } from '../support/gitlab.ts'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { type ServiceProcess, startServiceProcess } from '../support/service-process.ts'
import { createDatabase, DATABASES, IDENTITY_DOMAIN, runSql } from '../support/world.ts'

const PATH = '/v1/auth:exchangeToken'
const RULE = { id: 'deploy', group: 'acme', project: 'app', refs: [{ type: 'BRANCH', pattern: 'main' }] }
const EMAIL = `deploy@${IDENTITY_DOMAIN}`
const SKIP = !DATABASES.includes('postgresql' as never)

/** What came of an attempt: a status, or 0 where the connection ended without an answer. */
type Attempt = { readonly status: number; readonly decisionId: string | undefined }

describe('WORKERS=2', { skip: SKIP }, () => {
  const adminToken = randomBytes(24).toString('hex')
  let gitlab: Gitlab
  let database: Awaited<ReturnType<typeof createDatabase>>
  let env: Record<string, string>
  let service: ServiceProcess
  const loads: { stop(): Promise<unknown> }[] = []

  before(async () => {
    gitlab = await startGitlab({ clock: Date.now })
    database = await createDatabase()
    env = {
      PORT: '0',
      PUBLIC_URL: 'https://claimgate.example.com',
      IDENTITY_DOMAIN,
      DATABASE_URL: database.url,
      ADMIN_TOKEN: adminToken,
      KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
      PRIVATE_ISSUERS: gitlab.issuerUrl,
      WORKERS: '2',
    }
    service = await startServiceProcess({ ...env, WORKERS: '1' })
    const config = { providerType: 'GITLAB', issuerUrl: gitlab.issuerUrl, rules: [RULE] }
    const created = await send(
      'POST',
      '/v1/workspaces/default/workloadIdentities?workloadIdentityId=deploy',
      {
        workloadIdentityConfig: config,
      },
    )
    assert.equal(created.status, 200, created.text)
    await service.stop()
  })
  after(async () => {
    await gitlab?.close()
    await database?.drop()
  })
  const start = async (more: Record<string, string> = {}) => {
    service = await startServiceProcess({ ...env, METRICS_PORT: '0', ...more })
  }
  afterEach(async () => {
    await Promise.all(loads.splice(0).map((load) => load.stop()))
    await service.stop('SIGKILL')
  })

  async function send(method: string, path: string, body?: object, url = service.url) {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${adminToken}`,
        // A connection for each request, as jobs do: connections are what is shared out.
        connection: 'close',
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    return { status: response.status, text: await response.text() }
  }
  const token = () => gitlab.signToken(gitlabClaims('18.4'))

  function startLoad(atOnce = 8) {
    const attempts: Attempt[] = []
    let stopped = false
    const attempt = async () => {
      const { status, text } = await send('POST', PATH, { token: token(), email: EMAIL }).catch(() => ({
        status: 0,
        text: '{}',
      }))
      attempts.push({ status, decisionId: JSON.parse(text).decisionId })
    }
    const runners = Array.from({ length: atOnce }, async () => {
      while (!stopped) await attempt()
    })
    const load = {
      count: (status: number) => attempts.filter((each) => each.status === status).length,
      async stop() {
        stopped = true
        await Promise.all(runners)
        return attempts
      },
    }
    loads.push(load)
    return load
  }

  /** I1 and I4: each token handed out has its one committed allowed decision. Returns how many allowed ones there are. */
  async function assertRecorded(attempts: readonly Attempt[], since: string): Promise<number> {
    const rows = await runSql(
      database.url,
      `select id, claims::json->>'jti' as jti from decisions where outcome = 'ALLOWED' and id > $1`,
      [since],
    )
    const recorded = new Set(rows.map(({ id }) => id))
    const given = attempts.filter(({ status }) => status === 200).map(({ decisionId }) => decisionId)
    assert.deepEqual(
      given.filter((id) => !recorded.has(id)),
      [],
      'I1: a token without a committed decision',
    )
    assert.equal(new Set(given).size, given.length)
    assert.equal(new Set(rows.map(({ jti }) => jti)).size, rows.length, 'I4: a token was used twice')
    return rows.length
  }
  async function lastDecision(): Promise<string> {
    const [row] = await runSql(database.url, 'select id from decisions order by id desc limit 1')
    return row?.id ?? '00000000-0000-0000-0000-000000000000'
  }

  const logged = (message: string) => service.lines.map(readLine).filter(({ msg }) => msg === message)
  const metrics = async (url = String(logged('listening')[0]?.metricsUrl)) =>
    parseExposition((await send('GET', '/metrics', undefined, url)).text)

  test('says once that it listens, serves with two processes, and ends whole with 0', async () => {
    await start()
    const workers = childrenOf(service)
    const answers = await Promise.all(
      Array.from({ length: 40 }, () => send('POST', PATH, { token: token(), email: EMAIL })),
    )
    const ready = await send('GET', '/readyz')

    const code = await service.stop('SIGTERM')

    assert.equal(workers.length, 2)
    assert.ok(answers.every(({ status }) => status === 200))
    assert.equal(ready.status, 200)
    assert.equal(logged('listening').length, 1)
    assert.equal(code, 0)
    assert.equal(logged('stopped').length, 1)
    for (const id of workers) assert.ok(!isAlive(id))
  })

  test('its metrics are the sum over both, on their own port and for an administrator beside the API', async () => {
    await start()
    const both = Array.from({ length: 40 }, () => send('POST', PATH, { token: token(), email: EMAIL }))
    await Promise.all(both)

    const open = await metrics()
    const confined = await Promise.all(Array.from({ length: 4 }, () => metrics(service.url)))

    for (const each of [open, ...confined]) {
      assert.equal(sumOf(each, 'claimgate_exchanges_total', { reason: 'allowed' }), 40)
      assert.equal(sumOf(each, 'claimgate_token_sign_seconds_count'), 40)
      assert.equal(sumOf(each, 'claimgate_workers'), 2)
      assert.equal(sumOf(each, 'claimgate_worker_restarts_total'), 0)
      assert.equal(each.get('claimgate_build_info')?.samples[0]?.value, 1)
    }
    assert.ok(!open.has('claimgate_policy_workers'))
    assert.ok(confined.every((each) => sumOf(each, 'claimgate_policy_workers') >= 4))
    assert.equal((await fetch(`${service.url}/metrics`)).status, 401)
  })

  test('a process that is killed under load is replaced, others go on, and nothing is handed out unrecorded', async () => {
    await start()
    const since = await lastDecision()
    const load = startLoad()
    await eventually('exchanges succeed', () => load.count(200) > 50)
    const before = sumOf(await metrics(), 'claimgate_exchanges_total', { reason: 'allowed' })
    const [victim, other] = childrenOf(service)

    process.kill(Number(victim), 'SIGKILL')
    await eventually('its death is told', () => logged('server process died').length === 1)
    const during = load.count(200)
    await eventually('others go on', () => load.count(200) > during + 20)
    await eventually('it is replaced', () => childrenOf(service).length === 2)
    await eventually('the new one serves', async () => sumOf(await metrics(), 'claimgate_workers') === 2)
    const attempts = await load.stop()

    assert.ok(childrenOf(service).includes(Number(other)))
    assert.deepEqual(
      [...new Set(attempts.map(({ status }) => status))].filter((status) => status > 0),
      [200],
    )
    assert.ok(load.count(0) <= 8, 'more were lost than one process had in hand')
    await assertRecorded(attempts, since)
    const now = await metrics()
    assert.equal(sumOf(now, 'claimgate_worker_restarts_total'), 1)
    assert.ok(sumOf(now, 'claimgate_exchanges_total', { reason: 'allowed' }) >= before, 'a total fell')
    assert.equal(await service.stop('SIGTERM'), 0)
  })

  test('a process that dies again and again is started less and less often', async () => {
    await start()
    for (let deaths = 1; deaths <= 4; deaths++) {
      await eventually('both are there', () => childrenOf(service).length === 2)
      process.kill(Number(childrenOf(service)[0]), 'SIGKILL')
      await eventually('its death is told', () => logged('server process died').length === deaths)
    }

    assert.deepEqual(
      logged('server process died').map(({ backOffMs }) => backOffMs),
      [100, 200, 400, 800],
    )
    assert.ok(logged('server process died').every(({ signal }) => signal === 'SIGKILL'))
  })

  for (const [signal, workers] of [
    ['SIGTERM', '1'],
    ['SIGTERM', '2'],
    ['SIGINT', '2'],
  ] as const) {
    test(`${signal} under load cuts no accepted exchange of ${workers}, however often it is sent`, async () => {
      await start({ WORKERS: workers })
      const since = await lastDecision()
      const load = startLoad()
      await eventually('exchanges succeed', () => load.count(200) > 50)

      const stopped = service.stop(signal)
      for (let again = 0; again < 5; again++) service.child.kill(signal)
      const code = await stopped
      const attempts = await load.stop()

      assert.equal(code, 0)
      const answered = attempts.filter(({ status }) => status === 200).length
      assert.equal(
        await assertRecorded(attempts, since),
        answered,
        'an exchange was decided and not answered',
      )
      assert.deepEqual([...new Set(attempts.map(({ status }) => status))].sort(), [0, 200])
      const connections = await runSql(
        database.url,
        `select 1 from pg_stat_activity where application_name = 'claimgate' and datname = current_database()`,
      )
      assert.equal(connections.length, 0)
    })
  }

  test('the metrics of all are there until the last request is answered', async () => {
    await start()
    const metricsUrl = String(logged('listening')[0]?.metricsUrl)
    const body = JSON.stringify({ token: token(), email: EMAIL })
    const { hostname, port } = new URL(service.url)
    const socket = connect(Number(port), hostname)
    socket.write(
      `POST ${PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body.slice(0, 9)}`,
    )
    await send('GET', '/healthz')

    const stopped = service.stop('SIGTERM')
    await eventually('nobody new is let in', () =>
      send('GET', '/healthz').then(
        () => false,
        () => true,
      ),
    )
    const during = await metrics(metricsUrl)
    socket.write(body.slice(9))
    const [answer] = (await once(socket, 'data')) as [Buffer]

    assert.ok(sumOf(during, 'claimgate_workers') >= 1)
    assert.match(answer.toString(), /^HTTP\/1\.1 200 /)
    assert.equal(await stopped, 0)
    await assert.rejects(send('GET', '/metrics', undefined, metricsUrl))
  })

  test('a request that never ends is ended after ten seconds', async () => {
    await start()
    const { hostname, port } = new URL(service.url)
    const socket = connect(Number(port), hostname)
    socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ')
    socket.on('error', () => undefined)
    await send('GET', '/healthz')

    const begin = performance.now()
    const code = await service.stop('SIGTERM')

    assert.equal(code, 0)
    assert.ok(performance.now() - begin < 20_000)
  })

  test('they end with the process that started them, however that ends', async () => {
    await start()
    const workers = childrenOf(service)

    await service.stop('SIGKILL')

    await eventually('they are gone', () => !workers.some(isAlive))
  })

  test('what keeps it from starting is said once, with exit code 2', async () => {
    const starting = startServiceProcess({ ...env, KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64') })

    await assert.rejects(starting, (error: Error) => {
      assert.match(error.message, /^It ended with 2: /)
      assert.equal(error.message.match(/No KEY_ENCRYPTION_KEY opens the signing key/g)?.length, 1)
      return true
    })
  })
})

test('WORKERS=2 is refused with the embedded database', async () => {
  await assert.rejects(startServiceProcess({ WORKERS: '2' }), /It ended with 2: WORKERS needs DATABASE_URL/)
})

function readLine(line: string): Readonly<Record<string, unknown>> {
  return line.startsWith('{') ? JSON.parse(line) : {}
}

/** The processes that a service started, apart from compilers. */
function childrenOf({ child }: ServiceProcess): readonly number[] {
  const ids = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim().split(' ')
  return ids.filter((id) => id !== '').map(Number)
}

function isAlive(id: number): boolean {
  try {
    process.kill(id, 0)
    return true
  } catch {
    return false
  }
}
