import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { ConfigError, readConfig } from '../../src/config/env.ts'

const KEY = Buffer.alloc(32, 7).toString('base64')
const OTHER_KEY = Buffer.alloc(32, 9).toString('base64')
const ADMIN_TOKEN = 'an-admin-token-of-32-characters!'
const ON_POSTGRESQL = {
  DATABASE_URL: 'postgresql://service:hunter2@db.example.com/claimgate',
  ADMIN_TOKEN,
  KEY_ENCRYPTION_KEY: KEY,
}

const directory = mkdtempSync(join(tmpdir(), 'claimgate-env-'))
after(() => rmSync(directory, { recursive: true, force: true }))

function file(name: string, content: string): string {
  const path = join(directory, name)
  writeFileSync(path, content)
  return path
}

function problemsOf(env: Record<string, string>): readonly string[] {
  try {
    readConfig(env)
  } catch (error) {
    assert.ok(error instanceof ConfigError, `not a ConfigError: ${error}`)
    return error.problems
  }
  return []
}

describe('the configuration', () => {
  test('without any variable is the documented default', () => {
    const { config, warnings } = readConfig({})

    assert.deepEqual(config, {
      host: '127.0.0.1',
      port: 8080,
      publicUrl: 'http://localhost:8080',
      databaseUrl: undefined,
      migrationDatabaseUrl: undefined,
      dataDir: '.claimgate',
      identityDomain: 'workload.claimgate.internal',
      adminToken: undefined,
      keyEncryptionKeys: [],
      signingKeyRotationDays: 30,
      privateIssuers: [],
      tokenLifetimeSeconds: 3600,
      clockSkewSeconds: 60,
      maxTokenAgeSeconds: 86_400,
      opaBin: undefined,
      trustProxy: 0,
      decisionRetentionDays: undefined,
      workers: 1,
      metricsPort: undefined,
      otlpEndpoint: undefined,
      blockFindings: 'none',
      logLevel: 'info',
    })
    assert.deepEqual(warnings, [])
  })

  test('is what the variables say', () => {
    const { config } = readConfig({
      ...ON_POSTGRESQL,
      MIGRATION_DATABASE_URL: 'postgres://owner@db.example.com/claimgate',
      HOST: '0.0.0.0',
      PORT: '9090',
      PUBLIC_URL: 'https://claimgate.example.com/base',
      DATA_DIR: '/var/lib/claimgate',
      IDENTITY_DOMAIN: 'workload.example.com',
      PRIVATE_ISSUERS: 'https://gitlab.internal, http://10.1.2.3:8080 ,',
      TOKEN_LIFETIME_SECONDS: '60',
      CLOCK_SKEW_SECONDS: '0',
      MAX_TOKEN_AGE_SECONDS: '60',
      OPA_BIN: '/usr/bin/opa',
      TRUST_PROXY: '2',
      WORKERS: '4',
      METRICS_PORT: '9100',
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector.internal:4318',
      LOG_LEVEL: 'debug',
    })

    assert.equal(config.host, '0.0.0.0')
    assert.equal(config.port, 9090)
    assert.equal(config.publicUrl, 'https://claimgate.example.com/base')
    assert.equal(config.databaseUrl, ON_POSTGRESQL.DATABASE_URL)
    assert.equal(config.migrationDatabaseUrl, 'postgres://owner@db.example.com/claimgate')
    assert.equal(config.dataDir, '/var/lib/claimgate')
    assert.equal(config.identityDomain, 'workload.example.com')
    assert.deepEqual(config.privateIssuers, ['https://gitlab.internal', 'http://10.1.2.3:8080'])
    assert.equal(config.tokenLifetimeSeconds, 60)
    assert.equal(config.clockSkewSeconds, 0)
    assert.equal(config.maxTokenAgeSeconds, 60)
    assert.equal(config.opaBin, '/usr/bin/opa')
    assert.equal(config.trustProxy, 2)
    assert.equal(config.workers, 4)
    assert.equal(config.metricsPort, 9100)
    assert.equal(config.otlpEndpoint, 'http://collector.internal:4318')
    assert.equal(config.logLevel, 'debug')
  })

  test('takes an empty variable for an absent one', () => {
    const empty = Object.fromEntries(
      [
        'HOST',
        'PORT',
        'PUBLIC_URL',
        'DATABASE_URL',
        'DATABASE_URL_FILE',
        'KEY_ENCRYPTION_KEY',
        'TRUST_PROXY',
      ].map((name) => [name, '']),
    )

    assert.deepEqual(readConfig(empty), readConfig({}))
  })

  test("makes the public URL of the port when it isn't given", () => {
    assert.equal(readConfig({ PORT: '9090' }).config.publicUrl, 'http://localhost:9090')
  })

  test('reports every mistake at once', () => {
    const problems = problemsOf({
      PORT: 'x',
      PUBLIC_URL: 'ftp://example.com',
      CLOCK_SKEW_SECONDS: '301',
      LOG_LEVEL: 'loud',
      ADMIN_TOKEN: 'short',
      KEY_ENCRYPTION_KEY: 'short',
      IDENTITY_DOMAIN: 'Example.com',
      WORKERS: '2',
    })

    for (const name of [
      'PORT',
      'PUBLIC_URL',
      'CLOCK_SKEW_SECONDS',
      'LOG_LEVEL',
      'ADMIN_TOKEN',
      'KEY_ENCRYPTION_KEY',
      'IDENTITY_DOMAIN',
      'WORKERS',
    ]) {
      assert.equal(
        problems.filter((problem) => problem.startsWith(name)).length,
        1,
        `${name} in ${problems.join(' | ')}`,
      )
    }
    assert.equal(problems.length, 8)
  })
})

describe('a variable is refused, by its name, with', () => {
  const cases: readonly (readonly [name: string, values: readonly string[]])[] = [
    ['PORT', ['-1', '65536', '80.5', '0x50', '8e1', ' 80', 'http', '99999999999']],
    [
      'PUBLIC_URL',
      [
        'http://claimgate.example.com',
        'claimgate.example.com',
        'https://claimgate.example.com/',
        'https://user@claimgate.example.com',
        'https://user:hunter2@claimgate.example.com',
        'https://claimgate.example.com?',
        'https://claimgate.example.com/?a=b',
        'https://claimgate.example.com#',
        'ftp://localhost',
        'http://localhost.example.com',
        'javascript:alert(1)',
      ],
    ],
    [
      'IDENTITY_DOMAIN',
      [
        'Workload.example.com',
        'a..b',
        '.example.com',
        'example.com.',
        '-a.com',
        'a_b.com',
        'a@b',
        'a b',
        'ä.de',
      ],
    ],
    ['TOKEN_LIFETIME_SECONDS', ['59', '3601', '0', '-60', '1h', '6e1']],
    ['CLOCK_SKEW_SECONDS', ['-1', '301', '1.5', 'Infinity']],
    ['MAX_TOKEN_AGE_SECONDS', ['59', '86401', '0']],
    ['LOG_LEVEL', ['INFO', 'verbose']],
    [
      'TRUST_PROXY',
      [
        '-1',
        'true',
        '10.0.0.0/33',
        '::1/129',
        '10.0.0',
        'loopback',
        '10.0.0.1,',
        '10.0.0.1/8/8',
        '10.0.0.1/',
      ],
    ],
    [
      'PRIVATE_ISSUERS',
      ['gitlab.internal', 'ftp://gitlab.internal', 'https://', 'https://a.internal https://b.internal'],
    ],
    [
      'ADMIN_TOKEN',
      [
        'x'.repeat(31),
        `${'x'.repeat(32)} `,
        `${'x'.repeat(20)} ${'x'.repeat(20)}`,
        'ü'.repeat(32),
        `${'x'.repeat(32)}\n`,
      ],
    ],
    [
      'KEY_ENCRYPTION_KEY',
      [
        Buffer.alloc(31).toString('base64'),
        Buffer.alloc(33).toString('base64'),
        Buffer.alloc(32, 7).toString('hex'),
        Buffer.alloc(32, 255).toString('base64url'),
        KEY.slice(0, -1),
        `${KEY},`,
        `,${KEY}`,
        `${KEY} ${KEY}`,
      ],
    ],
    ['DATABASE_URL', ['mysql://db/x', 'db.example.com', 'postgresql//db', 'postgresql://:port']],
    ['WORKERS', ['0', '-1', '1.5', '65', 'many']],
    ['METRICS_PORT', ['-1', '65536', 'http', '8080']],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', ['collector:4318', 'grpc://collector', 'http://', 'yes']],
    ['BLOCK_FINDINGS', ['note', 'CRITICAL', 'all']],
    ['DECISION_RETENTION_DAYS', ['0', '-1', '1.5', '36501', '30d', 'forever']],
  ]
  for (const [name, values] of cases) {
    for (const value of values) {
      test(`${name}=${JSON.stringify(value)}`, () => {
        const problems = problemsOf({ [name]: value })

        assert.ok(
          problems.some((problem) => problem.startsWith(name)),
          `${name} is not named: ${problems.join(' | ')}`,
        )
      })
    }
  }

  test('PORT=0 without a PUBLIC_URL, as the port would not be known', () => {
    assert.match(problemsOf({ PORT: '0' }).join(), /PUBLIC_URL/)
    assert.deepEqual(problemsOf({ PORT: '0', PUBLIC_URL: 'http://localhost' }), [])
  })

  test('several WORKERS without a DATABASE_URL, as the embedded database is for one process', () => {
    assert.match(problemsOf({ WORKERS: '2' }).join(), /^WORKERS needs DATABASE_URL/)
    assert.deepEqual(problemsOf({ ...ON_POSTGRESQL, WORKERS: '64' }), [])
  })

  test("METRICS_PORT on the service's own port", () => {
    assert.match(
      problemsOf({ PORT: '9100', METRICS_PORT: '9100' }).join(),
      /^METRICS_PORT must be another port/,
    )
  })

  test('MIGRATION_DATABASE_URL without a DATABASE_URL', () => {
    assert.match(
      problemsOf({ MIGRATION_DATABASE_URL: 'postgresql://db/x' }).join(),
      /^MIGRATION_DATABASE_URL needs DATABASE_URL/,
    )
  })
})

describe('a variable may be', () => {
  for (const [name, values] of [
    ['PORT', ['1', '65535']],
    ['PUBLIC_URL', ['https://a.example', 'http://localhost:8080', 'http://127.0.0.1:1', 'http://[::1]:8080']],
    ['IDENTITY_DOMAIN', ['internal', 'a.b.c', 'x-y.example']],
    ['TOKEN_LIFETIME_SECONDS', ['60', '3600']],
    ['CLOCK_SKEW_SECONDS', ['0', '300']],
    ['MAX_TOKEN_AGE_SECONDS', ['60', '86400']],
    ['DECISION_RETENTION_DAYS', ['1', '90', '36500']],
    ['TRUST_PROXY', ['0', '1', '10.0.0.0/8', '10.0.0.1, ::1, fd00::/8']],
    ['PRIVATE_ISSUERS', ['https://gitlab.internal', 'http://127.0.0.1:8929/gitlab']],
    ['ADMIN_TOKEN', ['x'.repeat(32)]],
    ['KEY_ENCRYPTION_KEY', [KEY, `${KEY},${OTHER_KEY}`, `${KEY}, ${OTHER_KEY}`]],
    ['WORKERS', ['1']],
    ['METRICS_PORT', ['0', '9100']],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', ['http://127.0.0.1:4318', 'https://collector.example/otlp/']],
    ['BLOCK_FINDINGS', ['none', 'critical', 'warning']],
  ] as const) {
    for (const value of values) {
      test(`${name}=${value}`, () => assert.deepEqual(problemsOf({ [name]: value }), []))
    }
  }
})

describe('with PostgreSQL', () => {
  test('an encryption key is required; whether an admin token is, the database tells', () => {
    const problems = problemsOf({ DATABASE_URL: ON_POSTGRESQL.DATABASE_URL })

    assert.equal(problems.length, 1)
    assert.match(problems.join(' '), /KEY_ENCRYPTION_KEY is required/)
  })

  test('several encryption keys are read in their order', () => {
    const { config } = readConfig({ ...ON_POSTGRESQL, KEY_ENCRYPTION_KEY: `${OTHER_KEY},${KEY}` })

    assert.deepEqual(
      config.keyEncryptionKeys.map((key) => Buffer.from(key).toString('base64')),
      [OTHER_KEY, KEY],
    )
  })
})

describe('a secret', () => {
  test('is read from the file that NAME_FILE names, without the line break at its end', () => {
    const { config } = readConfig({
      DATABASE_URL_FILE: file('url', `${ON_POSTGRESQL.DATABASE_URL}\n`),
      MIGRATION_DATABASE_URL_FILE: file('owner', 'postgresql://owner@db/x'),
      ADMIN_TOKEN_FILE: file('token', `${ADMIN_TOKEN}\r\n`),
      KEY_ENCRYPTION_KEY_FILE: file('key', `${KEY}\n`),
    })

    assert.equal(config.databaseUrl, ON_POSTGRESQL.DATABASE_URL)
    assert.equal(config.migrationDatabaseUrl, 'postgresql://owner@db/x')
    assert.equal(config.adminToken, ADMIN_TOKEN)
    assert.deepEqual(config.keyEncryptionKeys, [Buffer.from(KEY, 'base64')])
  })

  test('that is given twice, or whose file cannot be read, is a mistake', () => {
    const problems = problemsOf({
      ADMIN_TOKEN,
      ADMIN_TOKEN_FILE: file('twice', ADMIN_TOKEN),
      KEY_ENCRYPTION_KEY_FILE: join(directory, 'nothing-here'),
    })

    assert.match(
      problems.join(' '),
      /ADMIN_TOKEN and ADMIN_TOKEN_FILE are both set.*KEY_ENCRYPTION_KEY_FILE names a file/,
    )
  })

  test('whose file is empty is absent', () => {
    const { DATABASE_URL } = ON_POSTGRESQL

    const problems = problemsOf({ DATABASE_URL, KEY_ENCRYPTION_KEY_FILE: file('empty', '\n') })

    assert.match(problems.join(), /KEY_ENCRYPTION_KEY is required/)
  })

  test('is told by no message', () => {
    const secrets = {
      DATABASE_URL: 'mysql://service:hunter2@db.example.com',
      MIGRATION_DATABASE_URL: 'hunter2',
      ADMIN_TOKEN: 'hunter2',
      KEY_ENCRYPTION_KEY: 'hunter2',
      ADMIN_TOKEN_FILE: file('other', 'hunter2'),
    }

    const problems = problemsOf(secrets).join(' ')

    assert.match(problems, /DATABASE_URL/)
    assert.doesNotMatch(problems, /hunter2|db\.example\.com/)
  })
})

describe('a variable that is nearly a setting', () => {
  for (const [given, meant] of [
    ['CLAIMGATE_PORT', 'PORT'],
    ['DATABSE_URL', 'DATABASE_URL'],
    ['DATABASE_URI', 'DATABASE_URL'],
    ['KEY_ENCRYPTION_KEYS', 'KEY_ENCRYPTION_KEY'],
    ['ADMIN_TOKEN_FIEL', 'ADMIN_TOKEN_FILE'],
    ['PRIVATE_ISSUER', 'PRIVATE_ISSUERS'],
    ['public_url', 'PUBLIC_URL'],
    ['TRUST_PROXYS', 'TRUST_PROXY'],
    ['WORKER', 'WORKERS'],
    ['METRIC_PORT', 'METRICS_PORT'],
  ] as const) {
    test(`${given} is warned of, and ignored`, () => {
      const { config, warnings } = readConfig({ [given]: 'hunter2' })

      assert.equal(warnings.length, 1, warnings.join())
      assert.match(warnings[0] ?? '', new RegExp(`^${given} .*${meant}`))
      assert.doesNotMatch(warnings.join(), /hunter2/)
      assert.deepEqual(config, readConfig({}).config)
    })
  }

  test('is not seen in what every shell and container sets', () => {
    const usual = [
      'PATH',
      'HOME',
      'USER',
      'SHELL',
      'PWD',
      'LANG',
      'TERM',
      'HOSTNAME',
      'NODE_ENV',
      'NODE_OPTIONS',
      'TZ',
      'SHLVL',
      '_',
    ]
    const more = [
      'PGHOST',
      'PGPORT',
      'CI',
      'KUBERNETES_SERVICE_HOST',
      'KUBERNETES_PORT',
      'npm_config_cache',
      'TEMP',
      'LOGNAME',
      'OTEL_SERVICE_NAME',
      'OTEL_EXPORTER_OTLP_HEADERS',
      'OTEL_EXPORTER_OTLP_PROTOCOL',
      'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
      'OTEL_RESOURCE_ATTRIBUTES',
    ]

    const { warnings } = readConfig(Object.fromEntries([...usual, ...more].map((name) => [name, 'x'])))

    assert.deepEqual(warnings, [])
  })
})
