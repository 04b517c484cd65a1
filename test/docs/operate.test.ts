import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { systemClock } from '../../src/clock.ts'
import { type Gitlab, startGitlab } from '../support/gitlab.ts'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { type Cluster, startCluster } from '../support/postgres.ts'
import { type ServiceProcess, startServiceProcess } from '../support/service-process.ts'
import { DATABASES, runSql } from '../support/world.ts'
import { codeBlocks } from './code-blocks.ts'
import { CANNOT_RUN, runShell } from './run-shell.ts'

const ROOT = join(import.meta.dirname, '../..')
const CANNOT_DUMP = canRun('pg_dump --version && pg_restore --version')
  ? false
  : 'pg_dump is not on this machine'

function canRun(script: string): boolean {
  try {
    execFileSync('sh', ['-ec', script], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

describe('the guide for operators', {
  skip: CANNOT_RUN || CANNOT_DUMP || !DATABASES.includes('postgresql' as never),
}, () => {
  const directory = mkdtempSync(join(tmpdir(), 'claimgate-operate-'))
  const dump = join(directory, 'claimgate.dump')
  const month = `decisions_${new Date().toISOString().slice(0, 7).replace('-', '_')}`
  const blocks = codeBlocks('docs/operate.md', {
    'claimgate.dump': dump,
    decisions_2026_11: month,
    '…': 'p@ss/1',
  })
  let gitlab: Gitlab
  let first: Cluster | undefined
  let second: Cluster | undefined
  let env: Record<string, string>

  before(async () => {
    gitlab = await startGitlab({ clock: systemClock })
    first = await startCluster()
    second = await startCluster()
    env = {
      ...databasesOf(first),
      PORT: '0',
      PUBLIC_URL: 'https://claimgate.example.com',
      TRUST_PROXY: '1',
      PRIVATE_ISSUERS: gitlab.issuerUrl,
      ADMIN_TOKEN: randomBytes(24).toString('hex'),
      KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    }
    for (const cluster of [first, second]) {
      for (const statement of [
        ...statements('README.md', 'create database'),
        ...statements('docs/operate.md', 'pg_read_all_data'),
      ]) {
        await runSql(`${cluster?.url}/postgres`, statement)
      }
    }
  })
  after(async () => {
    first?.stop()
    second?.stop()
    await gitlab?.close()
    rmSync(directory, { recursive: true, force: true })
  })

  function statements(page: string, text: string): readonly string[] {
    const block = codeBlocks(page, { '…': 'p@ss/1' }).find(
      (each) => each.language === 'sql' && each.text.includes(text),
    )
    assert.ok(block, `${page} has no SQL with ${text}`)
    return block.text.trim().split('\n')
  }

  function databasesOf(cluster: Cluster | undefined): Record<string, string> {
    const urlOf = (role: string) =>
      `${cluster?.url.replace('postgres@', `claimgate_${role}:p%40ss%2F1@`)}/claimgate`
    return {
      DATABASE_URL: urlOf('service'),
      MIGRATION_DATABASE_URL: urlOf('owner'),
      BACKUP_DATABASE_URL: urlOf('backup'),
    }
  }

  function blockWith(text: string, language: string): string {
    const block = blocks.find((each) => each.language === language && each.text.includes(text))
    assert.ok(block, `the page has no ${language} example with ${text}`)
    return block.text
  }
  const asOwner = (sql: string) => runSql(env.MIGRATION_DATABASE_URL ?? '', sql)
  const send = async (service: ServiceProcess, path: string, body?: object, bearer = env.ADMIN_TOKEN) => {
    const answer = await fetch(`${service.url}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${bearer}` },
      ...(body && { body: JSON.stringify(body) }),
    })
    return { status: answer.status, json: JSON.parse(await answer.text()) }
  }
  async function whileServing<Result>(use: (service: ServiceProcess) => Promise<Result>): Promise<Result> {
    const service = await startServiceProcess(env)
    try {
      return await use(service)
    } finally {
      await service.stop()
    }
  }
  async function doctor(): Promise<string> {
    const { output } = await runShell(blockWith('npm run doctor', 'sh'), env, ROOT)
    return output
  }
  const email = 'deploy@workload.claimgate.internal'
  let token: string
  let accessToken: string

  test('a backup that is restored has every decision, append-only, and serves with the same keys', async () => {
    token = gitlab.signToken(gitlabClaims('18.4'))
    const recorded = await whileServing(async (service) => {
      const config = { providerType: 'GITLAB', issuerUrl: gitlab.issuerUrl, rules: [{ group: 'acme' }] }
      const path = '/v1/workspaces/default/workloadIdentities?workloadIdentityId=deploy'
      assert.equal((await send(service, path, { workloadIdentityConfig: config })).status, 200)
      accessToken = (await send(service, '/v1/auth:exchangeToken', { token, email })).json.accessToken
      return (await send(service, '/v1/decisions')).json
    })
    const asServant = await runShell(`pg_dump "$DATABASE_URL" > ${dump}.none`, env, ROOT)
    assert.notEqual(asServant.exitCode, 0)

    const backup = await runShell(blockWith('pg_dump', 'sh'), env, ROOT)
    env = { ...env, ...databasesOf(second) }
    const restored = await runShell(blockWith('pg_restore', 'sh'), env, ROOT)

    assert.equal(backup.exitCode, 0, backup.output)
    assert.equal(restored.exitCode, 0, restored.output)
    assert.match(restored.output, /problems: 0, warnings: 0, not looked at: 0,/)
    await whileServing(async (service) => {
      assert.deepEqual((await send(service, '/v1/decisions')).json, recorded)
      assert.equal((await send(service, '/v1/users/me', undefined, accessToken)).status, 200)
      const again = await send(service, '/v1/auth:exchangeToken', { token, email })
      assert.equal(again.json.details[0].reason, 'token_replayed')
      const next = { token: gitlab.signToken(gitlabClaims('18.4')), email }
      assert.equal((await send(service, '/v1/auth:exchangeToken', next)).status, 200)
    })
    for (const statement of [
      'update decisions set reason = reason',
      `truncate ${month}`,
      'delete from decisions',
    ]) {
      await assert.rejects(asOwner(statement), /append-only/)
      await assert.rejects(runSql(env.DATABASE_URL ?? '', statement), /permission denied/)
    }
  })

  test('a signing key is replaced by command and by the API, and in an emergency at once', async () => {
    await whileServing(async (service) => {
      const keys = async () => (await send(service, '/v1/signingKeys')).json.signingKeys
      const inService = { ...env, BYTEBASE_URL: service.url }
      const rotated = await runShell(
        blockWith('"$BYTEBASE_URL/v1/signingKeys:rotate"', 'sh'),
        inService,
        ROOT,
      )
      assert.equal(rotated.exitCode, 0, rotated.output)
      const [pending, active] = await keys()
      assert.deepEqual([pending.state, active.state], ['PENDING', 'ACTIVE'])
      assert.match(rotated.output, new RegExp(`^${pending.kid} is published.*"kid":"${pending.kid}"`, 's'))
      assert.equal((await send(service, '/v1/users/me', undefined, accessToken)).status, 200)

      const replaced = await runShell(blockWith('--immediately', 'sh'), env, ROOT)

      assert.equal(replaced.exitCode, 0, replaced.output)
      assert.equal((await send(service, '/v1/users/me', undefined, accessToken)).status, 401)
      const next = { token: gitlab.signToken(gitlabClaims('18.4')), email }
      assert.equal((await send(service, '/v1/auth:exchangeToken', next)).status, 200)
      assert.deepEqual(
        (await keys()).map(({ state }: { state: string }) => state),
        ['ACTIVE', 'REVOKED', 'REVOKED'],
      )
    })
  })

  test('triggers that were disabled or dropped are brought back', async () => {
    await asOwner('alter table decisions disable trigger all')
    await asOwner(`alter table ${month} disable trigger all`)
    assert.match(await doctor(), /problem +append-only/)
    await asOwner(blockWith('enable trigger append_only', 'sql'))
    assert.match(await doctor(), /ok +append-only/)
    await asOwner(`drop trigger never_truncated on ${month}`)
    assert.match(await doctor(), /problem +append-only/)

    await asOwner(blockWith(`before truncate on ${month}`, 'sql'))

    assert.match(await doctor(), /problems: 0, warnings: 0, not looked at: 0,/)
  })

  test('decisions outside of all partitions get theirs', async () => {
    const id = '01c0ffee-0000-7000-8000-000000000000'
    await asOwner(
      `insert into decisions (id, kind, outcome, reason, decide_time)
          values ('${id}', 'EXCHANGE', 'DENIED', 'token_malformed', now())`,
    )
    assert.match(await doctor(), /problem +partitions/)

    await asOwner(blockWith('decisions_stray', 'sql'))
    await runShell('npm run migrate', env, ROOT)

    assert.match(await doctor(), /problems: 0, warnings: 0, not looked at: 0,/)
    const [row] = await asOwner(
      `select tableoid::regclass::text as partition from decisions where id = '${id}'`,
    )
    assert.match(row?.partition, /^decisions_\d{4}_\d\d$/)
  })

  test('a month that is taken away is a table of its own, with all its rows', async () => {
    const count = async (table: string) =>
      (await asOwner(`select count(*)::integer as n from ${table}`))[0]?.n
    const before = await count('decisions')

    await asOwner(blockWith('detach partition decisions_2', 'sql'))

    assert.ok((await count(month)) > 0)
    assert.equal((await count('decisions')) + (await count(month)), before)
  })
})
