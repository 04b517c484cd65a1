import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'
import pg from 'pg'
import { systemClock } from '../../src/clock.ts'
import { eventually } from '../decision/invariants.ts'
import { copyEmbeddedTemplate } from '../support/embedded-template.ts'
import { type Gitlab, startGitlab } from '../support/gitlab.ts'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { processEnv, type ServiceProcess, startServiceProcess } from '../support/service-process.ts'
import { createDatabase, createMigratedDatabase, DATABASES, runSql } from '../support/world.ts'

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const ISSUER = 'https://claimgate.example.com'
const MINUTE = 60_000

type Change = Readonly<
  Record<'verb' | 'reason', string | null> & Record<'before' | 'after', { readonly state: string } | null>
>
type Ran = { readonly exitCode: number; readonly stdout: string; readonly stderr: string }

function run(env: Readonly<Record<string, string>>, ...flags: string[]): Promise<Ran> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [MAIN, 'keys', 'rotate', ...flags],
      { env: { ...processEnv(), LOG_LEVEL: 'fatal', ...env } },
      (error, stdout, stderr) => resolve({ exitCode: Number(error?.code ?? 0), stdout, stderr }),
    )
    child.stdin?.end()
  })
}

function secrets(): Record<string, string> {
  return {
    ADMIN_TOKEN: randomBytes(24).toString('hex'),
    KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
  }
}

describe('claimgate keys rotate, on an embedded database', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'claimgate-rotate-'))
  const adminToken = randomBytes(24).toString('hex')
  const env = {
    DATA_DIR: dataDir,
    PORT: '0',
    PUBLIC_URL: 'http://localhost:8080',
    ADMIN_TOKEN: adminToken,
  }
  before(() => copyEmbeddedTemplate(dataDir))
  after(() => rmSync(dataDir, { recursive: true, force: true }))

  test('publishes the next key, once; as text and as JSON', async () => {
    const told = await run(env)
    const again = await run(env, '--json')

    assert.equal(told.exitCode, 0, told.stderr)
    const { kid, state, createTime, activateTime } = JSON.parse(again.stdout)
    assert.equal(
      told.stdout,
      `${kid} is published, and signs from ${activateTime} on: an instance that runs sees to it.\n`,
    )
    assert.equal(state, 'PENDING')
    assert.equal(Date.parse(activateTime) - Date.parse(createTime), 11 * MINUTE)
  })

  test('takes all keys away only where that is meant', async () => {
    const asked = await run(env, '--immediately')
    const meant = await run(env, '--immediately', '--yes', '--json')
    const told = await run(env, '--immediately', '--yes', '--reason', 'A laptop was stolen.')

    assert.deepEqual([asked.exitCode, asked.stdout], [2, ''])
    assert.match(asked.stderr, /ends every access token that is in use: say --yes/)
    assert.equal(meant.exitCode, 0, meant.stderr)
    assert.equal(JSON.parse(meant.stdout).state, 'ACTIVE')
    assert.match(told.stdout, /^\S{43} signs now\. The keys before it are gone, and so are their tokens\.\n$/)
  })

  for (const [flaw, reason, told] of [
    ['an empty reason', '', /--reason must not be empty/],
    ['a reason without end', 'a'.repeat(501), /--reason must have at most 500 characters/],
  ] as const) {
    test(`${flaw} is refused before anything is done`, async () => {
      const { exitCode, stdout, stderr } = await run(env, '--immediately', '--yes', '--reason', reason)

      assert.deepEqual([exitCode, stdout], [2, ''])
      assert.match(stderr, told)
    })
  }

  test('cannot run while a service has the database, and says so; the service tells what it did before', async (t) => {
    const service = await startServiceProcess(env)
    t.after(() => service.stop('SIGKILL'))

    const { exitCode, stdout, stderr } = await run(env)
    const answer = await fetch(`${service.url}/v1/changes?author=operator`, {
      headers: { authorization: `Bearer ${adminToken}` },
    })

    assert.deepEqual([exitCode, stdout], [2, ''])
    assert.match(stderr, /in use/)
    const { changes } = JSON.parse(await answer.text())
    const states = changes
      .toReversed()
      .map(({ verb, before, after, reason }: Change) => [
        verb,
        before?.state ?? null,
        after?.state ?? null,
        reason,
      ])
    assert.deepEqual(states, [
      ['ROTATE', null, 'PENDING', null],
      ['ROTATE', 'ACTIVE', 'REVOKED', null],
      ['ROTATE', 'PENDING', 'REVOKED', null],
      ['ROTATE', null, 'ACTIVE', null],
      ['ROTATE', 'ACTIVE', 'REVOKED', 'A laptop was stolen.'],
      ['ROTATE', null, 'ACTIVE', 'A laptop was stolen.'],
    ])
  })
})

describe('claimgate keys rotate, beside services on PostgreSQL', {
  skip: DATABASES.some((kind) => kind === 'postgresql') ? false : 'there is no PostgreSQL server',
}, () => {
  let gitlab: Gitlab
  let database: Awaited<ReturnType<typeof createMigratedDatabase>>
  let env: Record<string, string>
  const running = new Set<ServiceProcess>()
  const email = 'deploy@workload.claimgate.internal'

  before(async () => {
    gitlab = await startGitlab({ clock: systemClock })
    database = await createMigratedDatabase()
    env = {
      ...secrets(),
      DATABASE_URL: database.url,
      PORT: '0',
      PUBLIC_URL: ISSUER,
      PRIVATE_ISSUERS: gitlab.issuerUrl,
    }
    const service = await serve()
    const config = { providerType: 'GITLAB', issuerUrl: gitlab.issuerUrl, rules: [{ group: 'acme' }] }
    const path = '/v1/workspaces/default/workloadIdentities?workloadIdentityId=deploy'
    assert.equal((await send(service, 'POST', path, { workloadIdentityConfig: config })).status, 200)
    await service.stop()
  })
  after(async () => {
    for (const service of running) await service.stop('SIGKILL')
    await gitlab?.close()
    await database?.drop()
  })

  async function serve(more: Record<string, string> = {}): Promise<ServiceProcess> {
    const service = await startServiceProcess({ ...env, ...more })
    running.add(service)
    return service
  }
  async function send(service: ServiceProcess, method: string, path: string, body?: object, token?: string) {
    const answer = await fetch(`${service.url}${path}`, {
      method,
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token ?? env.ADMIN_TOKEN}` },
      ...(body && { body: JSON.stringify(body) }),
    })
    return { status: answer.status, json: JSON.parse(await answer.text()) }
  }
  async function exchange(service: ServiceProcess): Promise<string> {
    const body = { token: gitlab.signToken(gitlabClaims('18.4')), email }
    const { status, json } = await send(service, 'POST', '/v1/auth:exchangeToken', body)
    assert.equal(status, 200, JSON.stringify(json))
    return json.accessToken
  }
  const me = async (service: ServiceProcess, token: string) =>
    (await send(service, 'GET', '/v1/users/me', undefined, token)).status
  const kidOf = (token: string) => decodeProtectedHeader(token).kid
  const states = async () =>
    (await runSql(database.url, 'select state from signing_keys order by create_time')).map(
      ({ state }) => state,
    )
  /** As if the pending key had been published long ago. */
  const makeDue = () =>
    runSql(database.url, `update signing_keys set activate_time = now() where state = 'PENDING'`)
  const isActive = (kid: string) => async () =>
    (await runSql(database.url, `select from signing_keys where kid = '${kid}' and state = 'ACTIVE'`))
      .length === 1
  const rotate = async () => JSON.parse((await run(env, '--json')).stdout).kid

  test('an instance that stood still while the keys changed signs by the new one, and publishes it', async () => {
    const [going, stopped] = [await serve(), await serve()]
    const before = await exchange(stopped)
    const kid = await rotate()
    stopped.child.kill('SIGSTOP')
    await makeDue()
    await eventually('the other one has it sign', isActive(kid))
    const waiting = [exchange(stopped), exchange(stopped)]
    const published = fetch(`${stopped.url}/.well-known/jwks.json`).then((answer) => answer.json())

    stopped.child.kill('SIGCONT')

    const find = createLocalJWKSet((await published) as never)
    for (const token of [before, ...(await Promise.all(waiting)), await exchange(going)]) {
      await jwtVerify(token, find, { issuer: ISSUER })
      for (const service of [going, stopped]) assert.equal(await me(service, token), 200)
    }
    assert.deepEqual([...new Set((await Promise.all(waiting)).map(kidOf))], [kid])
    await Promise.all([going.stop(), stopped.stop()])
  })

  test('a rotation goes on after every instance was killed between publishing and signing', async () => {
    const first = await serve()
    const before = await exchange(first)
    const kid = await rotate()
    await first.stop('SIGKILL')
    await makeDue()

    const second = await serve()

    const token = await exchange(second)
    assert.equal(kidOf(token), kid)
    assert.notEqual(kidOf(before), kid)
    for (const each of [before, token]) assert.equal(await me(second, each), 200)
    await second.stop()
  })

  test('an instance that is killed amid the change leaves it undone, and another one makes it', async () => {
    const first = await serve()
    const before = await exchange(first)
    const kid = await rotate()
    const inTheWay = new pg.Client({ connectionString: database.url })
    await inTheWay.connect()
    await inTheWay.query('begin')
    await inTheWay.query('lock table signing_keys in share row exclusive mode')
    await inTheWay.query(`update signing_keys set activate_time = now() where state = 'PENDING'`)
    await inTheWay.query('commit')
    await inTheWay.query('begin')
    await inTheWay.query('lock table signing_keys in share mode')
    await eventually('it waits amid the change', async () => {
      const waiting = await runSql(
        database.url,
        `select from pg_locks where not granted and relation = 'signing_keys'::regclass`,
      )
      return waiting.length > 0
    })

    await first.stop('SIGKILL')
    assert.equal(await isActive(kid)(), false)
    await inTheWay.query('commit')
    await inTheWay.end()
    const second = await serve()

    await eventually('the other one has it sign', isActive(kid))
    assert.equal(kidOf(await exchange(second)), kid)
    assert.equal(await me(second, before), 200)
    await second.stop()
  })

  test('an emergency reaches every process of every instance, and ends every token', async () => {
    const services = [await serve({ WORKERS: '2' }), await serve()]
    const tokens = await Promise.all(services.map((service) => exchange(service)))

    const { exitCode, stdout } = await run(env, '--immediately', '--yes', '--json')

    assert.equal(exitCode, 0)
    const { kid } = JSON.parse(stdout)
    for (const service of services) {
      const many = Array.from({ length: 12 })
      for (const token of tokens) {
        assert.deepEqual(new Set(await Promise.all(many.map(() => me(service, token)))), new Set([401]))
      }
      const next = await Promise.all(many.map(() => exchange(service)))
      assert.deepEqual(new Set(next.map(kidOf)), new Set([kid]))
      const keySets = await Promise.all(many.map(() => send(service, 'GET', '/.well-known/jwks.json')))
      for (const { json } of keySets) assert.deepEqual([json.keys.length, json.keys[0].kid], [1, kid])
    }
    assert.ok((await states()).slice(0, -1).every((state) => state === 'REVOKED'))
    await Promise.all(services.map((service) => service.stop()))
  })

  test('with another KEY_ENCRYPTION_KEY it makes no key that others cannot use, unless in an emergency', async () => {
    const before = await states()
    const stranger = { ...env, KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64') }

    const refused = await run(stranger)
    assert.equal(refused.exitCode, 2)
    assert.match(refused.stderr, /No KEY_ENCRYPTION_KEY opens the signing key/)
    assert.deepEqual(await states(), before)
    const { exitCode } = await run(stranger, '--immediately', '--yes')

    assert.equal(exitCode, 0)
    const service = await serve(stranger)
    assert.equal(await me(service, await exchange(service)), 200)
    await service.stop()
  })

  test('a database without the schema is not touched', async (t) => {
    const empty = await createDatabase()
    t.after(() => empty.drop())

    const { exitCode, stderr } = await run({ ...env, DATABASE_URL: empty.url })

    assert.equal(exitCode, 2)
    assert.match(stderr, /schema is not up to date/)
  })
})
