import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { examine } from '../../src/cli/doctor.ts'
import { systemClock } from '../../src/clock.ts'
import { readConfig } from '../../src/config/env.ts'
import { createLog } from '../../src/log.ts'
import { copyEmbeddedTemplate } from '../support/embedded-template.ts'
import { type Gitlab, startGitlab } from '../support/gitlab.ts'
import { type Cluster, freePort, startCluster } from '../support/postgres.ts'
import { processEnv, startServiceProcess } from '../support/service-process.ts'
import { publicJwk } from '../support/token-issuer.ts'
import { createDatabase, DATABASES, runSql } from '../support/world.ts'

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

type Finding = { readonly check: string; readonly status: string; readonly message: string }
type Ran = { readonly exitCode: number; readonly stdout: string; readonly stderr: string }

function runDoctor(env: Readonly<Record<string, string>>, ...args: string[]): Promise<Ran> {
  return runClaimgate(env, 'doctor', ...args)
}

function runClaimgate(env: Readonly<Record<string, string>>, ...args: string[]): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [MAIN, ...args],
      { env: { ...processEnv(), ...env } },
      (error, stdout, stderr) => {
        resolve({ exitCode: Number(error?.code ?? 0), stdout, stderr })
      },
    )
  })
}

async function findings(env: Readonly<Record<string, string>>): Promise<readonly Finding[]> {
  const { exitCode, stdout, stderr } = await runDoctor(env, '--json')
  assert.notEqual(exitCode, 2, stderr)
  const found: readonly Finding[] = JSON.parse(stdout).findings
  assert.equal(exitCode, found.every(({ status }) => status === 'ok') ? 0 : 1)
  return found
}

/** What is not well, without the start of a process for it. */
async function ailments(env: Readonly<Record<string, string>>): Promise<readonly Finding[]> {
  const found = await examine(readConfig(env).config, createLog('silent'))
  return found.filter(({ status }) => status !== 'ok')
}

function assertOnly(found: readonly Finding[], check: string, status: string, message: RegExp): void {
  assert.deepEqual(
    found.map((each) => [each.check, each.status]),
    [[check, status]],
    JSON.stringify(found),
  )
  assert.match(found[0]?.message ?? '', message)
}

describe('the doctor of a set-up without a database server', () => {
  const directory = mkdtempSync(join(tmpdir(), 'claimgate-doctor-'))
  after(() => rmSync(directory, { recursive: true, force: true }))

  test('finds that the embedded database loses data, and makes nothing', async () => {
    const dataDir = join(directory, 'none')

    assertOnly(await ailments({ DATA_DIR: dataDir }), 'durability', 'warning', /DATABASE_URL/)
    assert.equal(existsSync(dataDir), false)
  })

  test('says so while a service has the embedded database, which goes on serving', async (t) => {
    const dataDir = join(directory, 'used')
    copyEmbeddedTemplate(dataDir)
    const env = { DATA_DIR: dataDir, PORT: '0', PUBLIC_URL: 'http://localhost:8080' }
    const service = await startServiceProcess(env)
    t.after(() => service.stop('SIGKILL'))
    const while_ = (await findings(env)).filter(({ status }) => status !== 'ok')
    const ready = await fetch(`${service.url}/readyz`)
    await service.stop()
    const kept = readdirSync(dataDir)
    const afterwards = await findings(env)

    assert.deepEqual(
      while_.map(({ check, status }) => [check, status]),
      [
        ['durability', 'warning'],
        ['database', 'unknown'],
      ],
    )
    assert.match(while_[1]?.message ?? '', /in use/)
    assert.equal(ready.status, 200)
    assert.deepEqual(
      afterwards.map(({ check, status }) => `${check} ${status}`),
      [
        'address ok',
        'durability warning',
        'compiler ok',
        'schema ok',
        'rights ok',
        'append-only ok',
        'retention ok',
        'partitions ok',
        'administrators ok',
        'signing key ok',
        'key encryption ok',
        'issuers ok',
      ],
    )
    assert.deepEqual(readdirSync(dataDir), kept)
  })

  const settings: readonly (readonly [
    name: string,
    env: Record<string, string>,
    check: string,
    status: string,
    message: RegExp,
  ])[] = [
    ['a name that only this machine knows', { HOST: '0.0.0.0' }, 'address', 'problem', /PUBLIC_URL/],
    [
      'a proxy in front that is not believed',
      { PUBLIC_URL: 'https://claimgate.example.com' },
      'address',
      'warning',
      /TRUST_PROXY/,
    ],
    [
      'no compiler',
      { OPA_BIN: '/nowhere/opa' },
      'compiler',
      'problem',
      /OPA_BIN is \/nowhere\/opa, .*ENOENT/,
    ],
  ]
  for (const [name, env, check, status, message] of settings) {
    test(`finds ${name}`, async () => {
      const found = await ailments({ DATA_DIR: join(directory, 'none'), ...env })

      assertOnly(
        found.filter((finding) => finding.check !== 'durability'),
        check,
        status,
        message,
      )
    })
  }

  test('finds a compiler of another version', async () => {
    const opa = join(directory, 'opa')
    writeFileSync(opa, '#!/bin/sh\necho "Version: 1.0.0"\n')
    chmodSync(opa, 0o755)

    const found = await ailments({ DATA_DIR: join(directory, 'none'), OPA_BIN: opa })

    assert.match(found.find(({ check }) => check === 'compiler')?.message ?? '', /1\.0\.0/)
  })

  test('settings that are wrong are all told, and it could not run', async () => {
    const { exitCode, stdout, stderr } = await runDoctor({ PORT: 'x', CLOCK_SKEW_SECONDS: '301' })

    assert.equal(exitCode, 2)
    assert.equal(stdout, '')
    assert.match(stderr, /PORT[\s\S]*CLOCK_SKEW_SECONDS/)
  })

  test('for people it is a line for each check and a sum, without colours where nobody sees them', async () => {
    const { exitCode, stdout } = await runDoctor({ DATA_DIR: join(directory, 'none') })

    assert.equal(exitCode, 1)
    assert.match(stdout, /^ok {6} {2}address {5}http/m)
    assert.match(stdout, /^warning {3}durability /m)
    assert.match(stdout, /problems: 0, warnings: 1, not looked at: 0, ok: 3\n$/)
    assert.ok(!stdout.includes('\u001b'))
  })

  test('a database that does not answer is a problem, told without its password', async () => {
    const found = await findings({
      ...serverSettings(`postgresql://someone:the-password@127.0.0.1:${await freePort()}/claimgate`),
    })

    const { status, message } = found.find(({ check }) => check === 'database') ?? {}
    assert.equal(status, 'problem')
    assert.match(message ?? '', /DATABASE_URL/)
    assert.doesNotMatch(JSON.stringify(found), /the-password/)
  })
})

function serverSettings(databaseUrl: string): Record<string, string> {
  return {
    PUBLIC_URL: 'https://claimgate.example.com',
    TRUST_PROXY: '1',
    DATABASE_URL: databaseUrl,
    ADMIN_TOKEN: randomBytes(24).toString('hex'),
    KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
  }
}

describe('the doctor of a PostgreSQL with two roles', {
  skip: !DATABASES.includes('postgresql' as never),
}, () => {
  const owner = 'gate_owner'
  const role = 'gate_service'
  const as = (url: string, name: string) => url.replace('postgres@', `${name}@`)
  const dataDir = join(tmpdir(), 'claimgate-doctor-has-no-data')
  let cluster: Cluster | undefined
  let database: { readonly url: string }
  let gitlab: Gitlab
  let env: Record<string, string>

  before(async () => {
    gitlab = await startGitlab({ clock: systemClock })
    // The runner's server does not flush, which is what the doctor finds.
    cluster = await startCluster()
    database = { url: `${cluster?.url}/postgres` }
    await runSql(database.url, `create role ${owner} login`)
    await runSql(database.url, `create role ${role} login`)
    await runSql(database.url, `grant create, usage on schema public to ${owner}`)
    env = {
      ...serverSettings(as(database.url, role)),
      MIGRATION_DATABASE_URL: as(database.url, owner),
      PRIVATE_ISSUERS: gitlab.issuerUrl,
      DATA_DIR: dataDir,
      PORT: '0',
    }
    const service = await startServiceProcess(env)
    const registered = await fetch(`${service.url}/v1/issuers?issuerId=gitlab`, {
      method: 'POST',
      headers: { authorization: `Bearer ${env.ADMIN_TOKEN}`, 'content-type': 'application/json' },
      body: JSON.stringify({ issuerUrl: gitlab.issuerUrl, providerType: 'GITLAB' }),
    })
    assert.equal(registered.status, 200)
    await service.stop()
  })
  after(async () => {
    cluster?.stop()
    await gitlab?.close()
  })

  const sql = (...statements: readonly string[]) => runSql(database.url, statements.join(';'))
  /** A fingerprint of all that is stored. */
  const contents = async () => {
    const tables = await sql(
      `select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace`,
    )
    const texts = await Promise.all(
      tables.map(({ relname }) =>
        sql(`select '${relname}' as t, md5(string_agg(x::text, '|')) as m from ${relname} x`),
      ),
    )
    return JSON.stringify(texts.flat())
  }

  test('finds nothing where all is well, and changes nothing', async () => {
    const before = await contents()

    const found = await findings(env)

    assert.deepEqual(
      found.map(({ check, status }) => `${check} ${status}`),
      [
        'address ok',
        'compiler ok',
        'durability ok',
        'connections ok',
        'clock ok',
        'schema ok',
        'rights ok',
        'append-only ok',
        'migration role ok',
        'retention ok',
        'partitions ok',
        'administrators ok',
        'signing key ok',
        'key encryption ok',
        'issuer gitlab ok',
      ],
    )
    assert.equal(await contents(), before)
    assert.equal(existsSync(dataDir), false)
    for (const name of ['ADMIN_TOKEN', 'KEY_ENCRYPTION_KEY'] as const) {
      assert.ok(!JSON.stringify(found).includes(env[name] ?? '-'))
    }
  })

  const month = (ahead: number) => {
    const now = new Date()
    const first = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + ahead, 1))
    return `decisions_${first.getUTCFullYear()}_${String(first.getUTCMonth() + 1).padStart(2, '0')}`
  }
  const guard = (table: string) =>
    `create trigger never_truncated before truncate on ${table} for each statement execute function refuse_change()`

  type Break = {
    readonly name: string
    readonly spoil: () => readonly string[]
    readonly mend: () => readonly string[]
    readonly expect: readonly [check: string, status: string, message: RegExp]
  }
  const BREAKS: readonly Break[] = [
    {
      name: 'synchronous_commit that is off for the role',
      spoil: () => [`alter role ${role} set synchronous_commit = off`],
      mend: () => [`alter role ${role} reset synchronous_commit`],
      expect: ['durability', 'problem', /synchronous_commit is off/],
    },
    {
      name: 'a read-only database',
      spoil: () => [`alter role ${role} set default_transaction_read_only = on`],
      mend: () => [`alter role ${role} reset default_transaction_read_only`],
      expect: ['durability', 'problem', /read-only/],
    },
    {
      name: 'clocks that differ by more than half of the tolerance',
      spoil: () => [
        'create schema ahead',
        `grant usage on schema ahead to ${role}`,
        `create function ahead.clock_timestamp() returns timestamptz language sql as $$ select pg_catalog.clock_timestamp() + interval '40 s' $$`,
        `alter role ${role} set search_path = ahead, pg_catalog, public`,
      ],
      mend: () => [`alter role ${role} reset search_path`, 'drop schema ahead cascade'],
      expect: ['clock', 'warning', /differs .* by (39|40|41) s.*NTP/],
    },
    {
      name: 'a schema of a later version',
      spoil: () => [`insert into kysely_migration values ('9999-later', now())`],
      mend: () => [`delete from kysely_migration where name = '9999-later'`],
      expect: ['schema', 'warning', /9999-later/],
    },
    {
      name: 'a right that serving needs and the role lacks',
      spoil: () => [`revoke insert on decisions from ${role}`],
      mend: () => [`grant insert on decisions to ${role}`],
      expect: ['rights', 'problem', /lacks insert on decisions:/],
    },
    {
      name: 'the right to change decisions',
      spoil: () => [`grant update (reason) on decisions to ${role}`],
      mend: () => [`revoke update (reason) on decisions from ${role}`],
      expect: ['append-only', 'problem', /could change decisions:/],
    },
    {
      name: 'the right to truncate one partition',
      spoil: () => [`grant truncate on ${month(1)} to ${role}`],
      mend: () => [`revoke truncate on ${month(1)} from ${role}`],
      expect: ['append-only', 'problem', /could change decisions_\d/],
    },
    {
      name: 'a trigger that is disabled',
      spoil: () => [`alter table decisions disable trigger append_only`],
      mend: () => [`alter table decisions enable trigger append_only`],
      expect: ['append-only', 'problem', /disabled on decisions, /],
    },
    {
      name: 'a trigger that is gone from one partition',
      spoil: () => [`drop trigger never_truncated on ${month(0)}`],
      mend: () => [guard(month(0))],
      expect: ['append-only', 'problem', /missing or disabled on decisions_\d{4}_\d\d:/],
    },
    {
      name: 'partitions that nobody makes',
      spoil: () => [`alter table ${month(2)} rename to elsewhere`],
      mend: () => [`alter table elsewhere rename to ${month(2)}`],
      expect: ['partitions', 'warning', /None for \d{4}-\d\d:/],
    },
    {
      name: 'a signing key that is old',
      spoil: () => [`update signing_keys set activate_time = activate_time - interval '366 days'`],
      mend: () => [`update signing_keys set activate_time = activate_time + interval '366 days'`],
      expect: ['signing key', 'warning', /signed for 366 days, and SIGNING_KEY_ROTATION_DAYS is 30/],
    },
    {
      name: 'an issuer none of whose keys suits its algorithms',
      spoil: () => [`update issuers set algorithms = '{ES256}'`],
      mend: () => [`update issuers set algorithms = '{RS256}'`],
      expect: ['issuer gitlab', 'problem', /no key for ES256/],
    },
    {
      name: 'static keys that cannot be used',
      spoil: () => [`update issuers set jwks = '{"keys":[{"kty":"RSA","kid":"x","n":"AQAB","e":"AQAB"}]}'`],
      mend: () => ['update issuers set jwks = null'],
      expect: ['issuer gitlab', 'problem', /static keys/],
    },
    {
      name: 'an issuer that is an unlisted address',
      spoil: () => [`update issuers set issuer_url = 'https://127.0.0.1'`],
      mend: () => [`update issuers set issuer_url = '${gitlab.issuerUrl}'`],
      expect: ['issuer gitlab', 'problem', /is an IP address: list it in PRIVATE_ISSUERS/],
    },
    {
      name: 'an issuer whose name leads to an unlisted address',
      spoil: () => [`update issuers set issuer_url = 'https://localhost'`],
      mend: () => [`update issuers set issuer_url = '${gitlab.issuerUrl}'`],
      expect: ['issuer gitlab', 'problem', /localhost has a private address: list it in PRIVATE_ISSUERS/],
    },
    {
      name: 'another retention than the one that is set',
      spoil: () => ['insert into decision_retention (days) values (90)'],
      mend: () => ['delete from decision_retention'],
      expect: ['retention', 'warning', /not set, but .* for 90 days/],
    },
    {
      name: 'a login that is refused',
      spoil: () => [`alter role ${role} nologin`],
      mend: () => [`alter role ${role} login`],
      expect: ['database', 'problem', /refuses the login/],
    },
    {
      name: 'an issuer that may not be fetched from',
      spoil: () => [`update issuers set issuer_url = 'http://127.0.0.1:1'`],
      mend: () => [`update issuers set issuer_url = '${gitlab.issuerUrl}'`],
      expect: ['issuer gitlab', 'problem', /http:\/\/127\.0\.0\.1:1 is http: list it in PRIVATE_ISSUERS/],
    },
  ]
  for (const { name, spoil, mend, expect } of BREAKS) {
    test(`finds ${name}`, async () => {
      await sql(...spoil())
      try {
        assertOnly(await ailments(env), ...expect)
      } finally {
        await sql(...mend())
      }
    })
  }

  describe('of administrators finds', () => {
    const token = (id: string, columns: Readonly<Record<string, string>> = {}) => {
      const values = {
        id: `'${id}'`,
        title: "''",
        roles: "array['roles/workspaceAdmin']",
        secret_hash: String.raw`'\x00'`,
        create_time: 'now()',
        update_time: 'now()',
        ...columns,
      }
      return `insert into admin_tokens (${Object.keys(values).join()}) values (${Object.values(values).join()})`
    }
    const clear = 'delete from admin_tokens'
    const bare = () => ({ ...env, ADMIN_TOKEN: '' })

    for (const [what, rows, withSetting, status, message] of [
      ['none where there is no ADMIN_TOKEN', [], false, 'problem', /does not start: set ADMIN_TOKEN/],
      [
        'none that lasts where all expire or are deleted',
        [
          token('passing', { expire_time: "now() + interval '1 year'" }),
          token('deleted', { secret_hash: 'null', delete_time: 'now()' }),
        ],
        false,
        'problem',
        /does not start/,
      ],
      [
        'one that expires soon',
        [token('soon', { expire_time: "now() + interval '13 days'" })],
        true,
        'warning',
        /^adminTokens\/soon expires within 14 days/,
      ],
      [
        'one that expired',
        [token('gone', { expire_time: "now() - interval '1 minute'" })],
        true,
        'warning',
        /^adminTokens\/gone expired: delete it/,
      ],
      [
        'one that was not used for long, and one that never was',
        [
          token('idle', { last_use_time: "now() - interval '91 days'" }),
          token('never', { create_time: "now() - interval '91 days'" }),
          token('fresh', { create_time: "now() - interval '91 days'", last_use_time: 'now()' }),
        ],
        false,
        'warning',
        /^adminTokens\/idle was not used for 90 days.*adminTokens\/never was not used[^/]*$/,
      ],
    ] as const) {
      test(what, async () => {
        await sql(...rows)

        const found = await ailments(withSetting ? env : bare())

        await sql(clear)
        assertOnly(found, 'administrators', status, message)
      })
    }

    test('nothing where one lasts, and ADMIN_TOKEN is not set', async () => {
      await sql(token('root'))

      const found = await ailments(bare())

      await sql(clear)
      assert.deepEqual(found, [])
    })
  })

  test('finds that the processes may want more connections than there are', async () => {
    assertOnly(
      await ailments({ ...env, WORKERS: '64' }),
      'connections',
      'warning',
      /takes 652 .* has 197 for all/,
    )
  })

  test('finds a schema that is not there, and looks no further', async () => {
    await sql('alter table kysely_migration rename to hidden')
    try {
      assertOnly(await ailments(env), 'schema', 'problem', /0001-initial.*npm run migrate/)
    } finally {
      await sql('alter table hidden rename to kysely_migration')
    }
  })

  test('finds an issuer that does not answer, and asks none that is disabled', async () => {
    gitlab.behave({ discovery: { status: 500, body: 'secret of the inside network' } })
    try {
      const [found] = await ailments(env)
      assert.deepEqual([found?.check, found?.status], ['issuer gitlab', 'problem'])
      assert.match(found?.message ?? '', /not 200/)
      assert.doesNotMatch(JSON.stringify(found), /secret/)
      await sql(`update issuers set state = 'DISABLED'`)
      assert.deepEqual(await ailments(env), [])
    } finally {
      gitlab.behave()
      await sql(`update issuers set state = 'ACTIVE'`)
    }
  })

  test('static keys that suit are good without any fetch', async () => {
    const jwks = JSON.stringify({ keys: [publicJwk(gitlab.key)] })
    const before = gitlab.requests.discovery
    await sql(`update issuers set jwks = '${jwks}'`)
    try {
      assert.deepEqual(await ailments(env), [])
      assert.equal(gitlab.requests.discovery, before)
    } finally {
      await sql('update issuers set jwks = null')
    }
  })

  test('finds that one role is owner and servant', async () => {
    const { MIGRATION_DATABASE_URL: ownerUrl = '', ...alone } = env

    assertOnly(
      await ailments({ ...alone, DATABASE_URL: ownerUrl }),
      'append-only',
      'warning',
      /MIGRATION_DATABASE_URL/,
    )
    assertOnly(await ailments({ ...env, DATABASE_URL: ownerUrl }), 'append-only', 'problem', /DATABASE_URL/)
  })

  test('finds a migration role that owns nothing or does not log in', async () => {
    const servant = { ...env, MIGRATION_DATABASE_URL: env.DATABASE_URL ?? '' }
    const stranger = { ...env, MIGRATION_DATABASE_URL: as(database.url, 'nobody_there') }

    assertOnly(await ailments(servant), 'migration role', 'problem', /does not own/)
    assertOnly(await ailments(stranger), 'migration role', 'problem', /refuses the login/)
  })

  test('finds a KEY_ENCRYPTION_KEY that does not open the signing key, or is not the first, or not needed', async () => {
    const other = randomBytes(32).toString('base64')

    assertOnly(
      await ailments({ ...env, KEY_ENCRYPTION_KEY: other }),
      'signing key',
      'problem',
      /KEY_ENCRYPTION_KEY/,
    )
    assertOnly(
      await ailments({ ...env, KEY_ENCRYPTION_KEY: `${other},${env.KEY_ENCRYPTION_KEY}` }),
      'key encryption',
      'warning',
      /not sealed with the first key of KEY_ENCRYPTION_KEY yet: restart/,
    )
    assertOnly(
      await ailments({ ...env, KEY_ENCRYPTION_KEY: `${env.KEY_ENCRYPTION_KEY},${other}` }),
      'key encryption',
      'warning',
      /Nothing needs any but the first key/,
    )
  })

  test('finds a next signing key that cannot be opened, or does not come to sign', async () => {
    const { exitCode, stdout } = await runClaimgate(env, 'keys', 'rotate', '--json')
    assert.equal(exitCode, 0)
    const { kid } = JSON.parse(stdout)
    assert.deepEqual(await ailments(env), [])

    await sql(`update signing_keys set activate_time = now() - interval '6 minutes' where kid = '${kid}'`)
    assertOnly(
      await ailments(env),
      'signing key',
      'warning',
      new RegExp(`${kid} should sign since .*start an`),
    )
    await sql(`update signing_keys set encrypted_private_key =
      (select encrypted_private_key from signing_keys where state = 'ACTIVE') where kid = '${kid}'`)
    assertOnly(await ailments(env), 'signing key', 'problem', new RegExp(`does not open ${kid}`))

    await sql(`delete from signing_keys where kid = '${kid}'`)
  })

  test('finds decisions outside of all partitions', async () => {
    await sql(
      `insert into decisions (id, kind, outcome, reason, decide_time)
        values ('ffffffff-0000-7000-8000-000000000000', 'EXCHANGE', 'DENIED', 'token_malformed', now())`,
    )

    assertOnly(await ailments(env), 'partitions', 'problem', /clock was wrong/)
  })
})

describe('the doctor of a server that does not flush', {
  skip: !DATABASES.includes('postgresql' as never),
}, () => {
  test('finds it, though nothing is migrated yet', async (t) => {
    const database = await createDatabase()
    t.after(() => database.drop())

    const found = await ailments(serverSettings(database.url))

    assert.deepEqual(
      found.map(({ check, status }) => `${check} ${status}`),
      ['durability problem', 'schema problem'],
    )
    assert.match(found[0]?.message ?? '', /fsync and full_page_writes are off/)
  })
})
