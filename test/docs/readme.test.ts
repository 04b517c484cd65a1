import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import pg from 'pg'
import { readConfig } from '../../src/config/env.ts'
import { canChangeDecisions, checkWritable } from '../../src/db/check-database.ts'
import { openDatabase } from '../../src/db/open-database.ts'
import { createLog } from '../../src/log.ts'
import { startCluster } from '../support/postgres.ts'
import { startWorld } from '../support/world.ts'
import { codeBlocks, readPage } from './code-blocks.ts'
import { CANNOT_RUN, runShell } from './run-shell.ts'

const ROOT = join(import.meta.dirname, '../..')

test("the README's walk with curl does what it says", { skip: CANNOT_RUN }, async () => {
  const world = await startWorld('embedded', { IDENTITY_DOMAIN: 'workload.claimgate.internal' })
  const directory = mkdtempSync(join(tmpdir(), 'claimgate-readme-'))
  try {
    mkdirSync(join(directory, '.claimgate'))
    writeFileSync(join(directory, '.claimgate/admin-token'), `${world.adminToken}\n`)
    const blocks = codeBlocks('README.md', { 'http://localhost:8080': world.app.url })
    const walk = blocks.find(({ text }) => text.includes('auth:exchangeToken'))?.text ?? ''

    const { output, exitCode } = await runShell(`{ ${walk} } | jq -sc .`, {}, directory)

    assert.equal(exitCode, 0, output)
    const [email, ...said] = JSON.parse(output)
    const [identity, policy, found, refused, { decisions }] = said.filter(
      (each: unknown) => typeof each === 'object',
    )
    assert.equal(email, 'gitlab-deploy@workload.claimgate.internal')
    assert.ok(said.includes('unprotected_refs'), output)
    assert.equal(identity.policyDigest, policy.digest)
    assert.deepEqual(
      found.workloadIdentities.map(({ email }: { email: string }) => email),
      [email],
    )
    assert.equal(refused.code, 16)
    assert.equal(decisions[0].reason, 'token_malformed')
  } finally {
    await world.close()
    rmSync(directory, { recursive: true })
  }
})

test("the README's two roles serve, and the lesser one cannot change recorded decisions", async (t) => {
  const cluster = await startCluster()
  if (cluster === undefined) return t.skip('PostgreSQL is not on this machine')
  t.after(() => cluster.stop())
  const { text } = codeBlocks('README.md', { '…': 'p@ss/1' }).find(({ language }) => language === 'sql') ?? {}
  await runStatements(`${cluster.url}/postgres`, text?.trim().split('\n') ?? [])
  const urlOf = (role: string) => `${cluster.url.replace('postgres@', `${role}:p%40ss%2F1@`)}/claimgate`

  const db = await openDatabase(
    {
      databaseUrl: urlOf('claimgate_service'),
      migrationDatabaseUrl: urlOf('claimgate_owner'),
      dataDir: '/nowhere',
      decisionRetentionDays: undefined,
    },
    { migrate: true, log: createLog('silent', 2) },
  )

  try {
    await checkWritable(db)
    assert.equal(await canChangeDecisions(db), false)
  } finally {
    await db.close()
  }
})

async function runStatements(url: string, statements: readonly string[]): Promise<void> {
  const client = new pg.Client(url)
  await client.connect()
  // One by one: a database is created outside of any transaction.
  for (const statement of statements) await client.query(statement)
  await client.end()
}

test("the README's table has every setting with its default, and no other", () => {
  const [, section = ''] = readPage('README.md').split('| variable | default | meaning |')
  const [table = ''] = section.split('\n\n')
  const rows = [...table.matchAll(/^\| (`[A-Z_]+`.*?) \| (.*?) \|/gm)]
  const documented = rows.flatMap(([, names = '']) => [...names.matchAll(/[A-Z_]+/g)].map(([name]) => name))
  const source = readPage('src/config/env.ts')
  const read = [...source.matchAll(/\b(?:value|secret|integer)\('([A-Z_]+)'/g)].map(([, name = '']) => name)
  const { config } = readConfig({})

  const defaults = rows.map(([, , value = '']) => value).join(' ')

  assert.deepEqual(documented.toSorted(), [...new Set(read)].toSorted())
  for (const value of [
    config.host,
    config.port,
    config.dataDir,
    config.identityDomain,
    config.tokenLifetimeSeconds,
    config.clockSkewSeconds,
    config.maxTokenAgeSeconds,
    config.logLevel,
  ]) {
    assert.ok(defaults.includes(String(value)), `the default ${value} is not in the table`)
  }
})

test('every link in the documents leads to a file', () => {
  const pages = [
    'README.md',
    'SECURITY.md',
    'CHANGELOG.md',
    'docs/gitlab.md',
    'docs/policies.md',
    'docs/changing-policies.md',
    'docs/findings.md',
    'docs/architecture.md',
    'docs/operate.md',
    'docs/metrics.md',
  ]

  const broken = pages.flatMap((page) =>
    [...readPage(page).matchAll(/\]\((?!https?:|#)([^)#]+)/g)]
      .map(([, target = '']) => join(ROOT, dirname(page), target))
      .filter((path) => !existsSync(path)),
  )

  assert.deepEqual(broken, [])
})

test('every file that the architecture names is there', () => {
  const page = readPage('docs/architecture.md')
  const named = [...page.matchAll(/`((?:[a-z-]+\/)[a-z-]+\.ts)`/g)].map(([, path = '']) => path)

  const missing = named.filter(
    (path) => !existsSync(join(ROOT, 'src', path)) && !existsSync(join(ROOT, path)),
  )

  assert.ok(named.length > 8)
  assert.deepEqual(missing, [])
})

test('the architecture gives a reason for every dependency, and for no other', () => {
  const [, section = ''] = readPage('docs/architecture.md').split('## Dependencies')
  const rows = [...section.matchAll(/^\| (`.*?) \|/gm)].map(([, cell = '']) => cell)
  const explained = rows.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name))
  const { dependencies } = JSON.parse(readPage('package.json'))

  assert.deepEqual(explained.toSorted(), Object.keys(dependencies).toSorted())
})
