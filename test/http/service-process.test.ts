import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { after, before, describe, test } from 'node:test'
import { systemClock } from '../../src/clock.ts'
import { type Gitlab, startGitlab } from '../support/gitlab.ts'
import { type Claims, gitlabClaims } from '../support/gitlab-claims.ts'
import { type ServiceProcess, startServiceProcess } from '../support/service-process.ts'
import { createDatabase, DATABASES } from '../support/world.ts'

const PATH = '/v1/auth:exchangeToken'
const EMAIL = 'deploy@workload.example.com'
const PASSWORD = 'pass-of-the-database'

for (const kind of DATABASES) {
  describe(`the service as a process, on ${kind}`, () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'claimgate-process-'))
    const keyEncryptionKey = randomBytes(32).toString('base64')
    let adminToken = randomBytes(24).toString('hex')
    let gitlab: Gitlab
    let database: Awaited<ReturnType<typeof createDatabase>> | undefined
    let service: ServiceProcess

    before(async () => {
      gitlab = await startGitlab({ clock: systemClock })
      database = kind === 'postgresql' ? await createDatabase() : undefined
      service = await startServiceProcess({
        PORT: '0',
        PUBLIC_URL: 'https://claimgate.example.com',
        IDENTITY_DOMAIN: 'workload.example.com',
        DATA_DIR: dataDir,
        PRIVATE_ISSUERS: gitlab.issuerUrl,
        LOG_LEVEL: 'trace',
        ...(database && {
          DATABASE_URL: withPassword(database.url),
          ADMIN_TOKEN: adminToken,
          KEY_ENCRYPTION_KEY: keyEncryptionKey,
        }),
      })
      if (database === undefined) adminToken = readFileSync(join(dataDir, 'admin-token'), 'utf8').trim()
      const rules = [{ group: 'acme', project: 'app' }]
      const config = { providerType: 'GITLAB', issuerUrl: gitlab.issuerUrl, rules }
      const created = await send('/v1/workspaces/default/workloadIdentities?workloadIdentityId=deploy', {
        authorization: `Bearer ${adminToken}`,
        body: JSON.stringify({ workloadIdentityConfig: config }),
      })
      assert.equal(created.status, 200, await created.text())
    })
    after(async () => {
      await service?.stop('SIGKILL')
      await gitlab?.close()
      await database?.drop()
      rmSync(dataDir, { recursive: true, force: true })
    })

    type Sent = {
      readonly body?: string
      readonly authorization?: string
      readonly headers?: Record<string, string>
    }
    const send = (path: string, { body, authorization, headers }: Sent = {}) =>
      fetch(`${service.url}${path}`, {
        ...(body !== undefined && { method: 'POST', body }),
        headers: { 'content-type': 'application/json', ...(authorization && { authorization }), ...headers },
      })
    const sign = (claims: Claims = {}) => gitlab.signToken(gitlabClaims('18.4', claims))
    const bodyOf = (token: string, more = {}) => JSON.stringify({ token, email: EMAIL, ...more })

    /** Its log between two requests, once it is all there. */
    async function linesBetween(firstId: string, lastId: string): Promise<readonly string[]> {
      const indexOf = (id: string) => service.lines.findIndex((line) => line.includes(id))
      while (indexOf(lastId) < 0) await once(service.child.stdout as Readable, 'data')
      return service.lines.slice(indexOf(firstId) + 1, indexOf(lastId))
    }

    test('the secrets that it makes for itself are for its owner alone', () => {
      if (kind !== 'embedded') return
      assert.ok(adminToken.length >= 32)
      for (const name of ['admin-token', 'key-encryption-key']) {
        assert.equal(statSync(join(dataDir, name)).mode & 0o777, 0o600)
      }
    })

    test('no line of its log holds a token, a part of one, a key or a secret, and each request has one line', async () => {
      const secrets = [adminToken, keyEncryptionKey, PASSWORD]
      if (kind === 'embedded') secrets.push(readFileSync(join(dataDir, 'key-encryption-key'), 'utf8').trim())
      const token = (claims: Claims = {}, edit = (text: string) => text) => {
        const made = edit(sign({ user_email: 'jane.doe@example.com', ...claims }))
        secrets.push(made, ...made.split('.').filter((part) => part.length > 20))
        return made
      }
      const good = token()
      const bad = token({ jti: 7 })
      await send('/healthz', { headers: { 'x-request-id': 'first-of-all' } })
      const exchanged = await send(PATH, { body: bodyOf(good) })
      const { accessToken: issued } = (await exchanged.json()) as { accessToken: string }
      secrets.push(issued, ...issued.split('.'))
      const sent: readonly (readonly [path: string, sent: Sent, status: number])[] = [
        [PATH, { body: bodyOf(good) }, 403],
        [PATH, { body: bodyOf(token({ project_path: 'acme/other' })) }, 403],
        [PATH, { body: bodyOf(token({ project_path: 'evil/app' })) }, 401],
        [PATH, { body: bodyOf(token({ exp: 1 })) }, 401],
        [PATH, { body: bodyOf(bad) }, 401],
        [PATH, { body: bodyOf(token({}, (text) => `${text.slice(0, -6)}AAAAAA`)) }, 401],
        [PATH, { body: bodyOf(token({}, (text) => `${text}\n`)) }, 401],
        [PATH, { body: bodyOf(token({ iss: 'https://unknown.example' })) }, 401],
        [PATH, { body: bodyOf(token()).slice(0, -1) }, 400],
        [PATH, { body: bodyOf(token(), { [token()]: 1 }) }, 400],
        [PATH, { body: JSON.stringify({ token: EMAIL, email: token() }) }, 400],
        [`${PATH}?token=${token()}`, { body: '{}' }, 400],
        [`/v1/auth:${token()}`, { body: '{}' }, 404],
        ['/v1/users/me', { authorization: `Bearer ${issued}` }, 200],
        ['/v1/users/me', { authorization: `Bearer ${token()}` }, 401],
        [`/v1/users/me?access_token=${issued}`, {}, 401],
        ['/v1/decisions', { authorization: `Bearer ${adminToken}` }, 200],
        [`/v1/decisions?token=${token()}`, { authorization: `Bearer ${adminToken}` }, 400],
        [`/v1/decisions/${token()}`, { authorization: `Bearer ${adminToken}` }, 404],
        ['/v1/decisions', { authorization: `Bearer ${adminToken}x` }, 401],
        [
          '/v1/decisions',
          { headers: { 'x-request-id': token(), cookie: `token=${issued}`, referer: token() } },
          401,
        ],
        [
          PATH,
          { body: bodyOf(token()), headers: { 'user-agent': token(), 'x-forwarded-for': token() } },
          200,
        ],
      ]
      for (const [path, options, status] of sent) {
        const answer = await send(path, options)

        assert.equal(answer.status, status, `${path.slice(0, 40)}: ${await answer.text()}`)
      }
      gitlab.behave({ jwks: { body: JSON.stringify({ keys: [{ kty: 'oct', k: token() }] }) } })

      await send('/healthz', { headers: { 'x-request-id': 'last-of-all' } })
      const lines = await linesBetween('first-of-all', 'last-of-all')
      const requests = lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === 'request')
      assert.deepEqual(
        requests.map(({ status }) => status),
        [200, ...sent.map(([, , status]) => status)],
      )
      for (const line of service.lines) {
        for (const secret of secrets)
          assert.ok(!line.includes(secret.trim().slice(0, 40)), `a secret is in ${line}`)
        assert.doesNotMatch(line, /jane\.doe/)
      }
    })

    test('SIGTERM lets it finish what it accepted, then it ends by itself', async () => {
      const body = bodyOf(sign())
      const { hostname, port } = new URL(service.url)
      const socket = connect(Number(port), hostname)
      const head = `POST ${PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`
      socket.write(head + body.slice(0, 10))
      const silent = connect(Number(port), hostname)
      const silentClosed = once(silent, 'close')
      await Promise.all([once(socket, 'connect'), once(silent, 'connect')])
      await send('/healthz')

      const begin = performance.now()
      const stopped = service.stop('SIGTERM')
      while (!service.lines.some((line) => line.includes('"shutting down"')))
        await send('/healthz').catch(() => undefined)
      socket.write(body.slice(10))
      const [answer] = (await once(socket, 'data')) as [Buffer]
      const exitCode = await stopped
      await silentClosed

      assert.match(answer.toString(), /^HTTP\/1\.1 200 /)
      assert.equal(exitCode, 0)
      assert.ok(performance.now() - begin < 9_000, 'a connection without a request held it up')
      assert.match(service.lines.at(-1) ?? '', /"stopped"/)
      await assert.rejects(send('/healthz'))
    })
  })
}

function withPassword(url: string): string {
  const parsed = new URL(url)
  parsed.password = PASSWORD
  return parsed.href
}
