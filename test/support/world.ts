import { randomBytes, randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { type App, startApp } from '../../src/app.ts'
import { readConfig } from '../../src/config/env.ts'
import { createLog } from '../../src/log.ts'
import { assertDescribed, loadDescription } from './described-answers.ts'
import { copyEmbeddedTemplate } from './embedded-template.ts'
import { startGithub } from './github.ts'
import { startGitlab } from './gitlab.ts'
import { POSTGRESQL_TEMPLATE } from './postgresql-template.ts'

/** The databases that there are to test on: the embedded one always, PostgreSQL where the runner started a server. */
export const DATABASES = process.env.TEST_POSTGRES_URL
  ? (['postgresql', 'embedded'] as const)
  : (['embedded'] as const)
/** For what no database has a part in: once is enough, on PostgreSQL where there is a server. */
export const ONE_DATABASE = DATABASES.slice(0, 1)
export type DatabaseKind = (typeof DATABASES)[number]

/** A clock that stands still until it is moved. */
export type TestClock = (() => number) & { advance(ms: number): void }

export function createTestClock(startMs = Date.UTC(2026, 10, 24, 12)): TestClock {
  let now = startMs
  return Object.assign(() => now, {
    advance(ms: number) {
      now += ms
    },
  })
}

/** An answer with its body parsed, and as the text that came. */
export type Answer = {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into bodies of every shape
  readonly json: any
}

export type World = {
  readonly app: App
  readonly clock: TestClock
  readonly gitlab: Awaited<ReturnType<typeof startGitlab>>
  readonly github: Awaited<ReturnType<typeof startGithub>>
  readonly adminToken: string
  /** The database's URL; undefined for the embedded one. */
  readonly databaseUrl: string | undefined
  /** A request to the service, whose answer must be as its API is described; each comes from an address of its own unless it says which. */
  request(method: string, path: string, options?: RequestOptions): Promise<Answer>
  /** The same as an administrator. */
  admin(method: string, path: string, body?: unknown): Promise<Answer>
  exchange(token: string, email: string, more?: Record<string, unknown>): Promise<Answer>
  /** Creates an identity with these rules for the look-alike; returns its email. */
  createIdentity(rules: readonly object[], more?: IdentityOptions): Promise<string>
  /** The decisions for an identity, newest first. */
  decisions(email: string): Promise<readonly Record<string, unknown>[]>
  /** The newest decision for an identity. */
  lastDecision(email: string): Promise<Readonly<Record<string, unknown>>>
  /** Starts another service on the same database. */
  startInstance(env?: Record<string, string>): Promise<App>
  close(): Promise<void>
}

export type RequestOptions = {
  readonly body?: unknown
  /** Sent as it is, in place of `body`. */
  readonly raw?: string | Uint8Array
  readonly headers?: Record<string, string>
  readonly ip?: string
  readonly url?: string
  /** Whether what answers is the API, whose description its answers are held against; it is unless told otherwise. */
  readonly isApi?: boolean
}
export type IdentityOptions = { readonly id?: string; readonly config?: object; readonly identity?: object }

export const IDENTITY_DOMAIN = 'workload.example.com'

/** A whole service on a database of its own (or the one that `env` names), with look-alikes of GitLab and GitHub whose keys are real. */
export async function startWorld(
  kind: DatabaseKind,
  env: Record<string, string> = {},
  clock = createTestClock(),
): Promise<World> {
  const opened = new AsyncDisposableStack()
  try {
    return await openWorld(opened, kind, env, clock)
  } catch (error) {
    await opened.disposeAsync()
    throw error
  }
}

async function openWorld(
  opened: AsyncDisposableStack,
  kind: DatabaseKind,
  env: Record<string, string>,
  clock: TestClock,
): Promise<World> {
  const gitlab = await startGitlab({ clock })
  opened.defer(() => gitlab.close())
  const github = await startGithub({ clock })
  opened.defer(() => github.close())
  const isOwnDatabase = kind === 'postgresql' && env.DATABASE_URL === undefined
  const database = isOwnDatabase ? await createMigratedDatabase() : undefined
  opened.defer(() => database?.drop())
  const dataDir = mkdtempSync(join(tmpdir(), 'claimgate-test-'))
  opened.defer(() => rmSync(dataDir, { recursive: true, force: true }))
  if (kind === 'embedded') copyEmbeddedTemplate(dataDir)
  const adminToken = randomBytes(24).toString('hex')
  const settings = {
    PORT: '0',
    PUBLIC_URL: 'https://claimgate.example.com',
    IDENTITY_DOMAIN,
    DATA_DIR: dataDir,
    ADMIN_TOKEN: adminToken,
    KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    PRIVATE_ISSUERS: `${gitlab.issuerUrl},${github.issuerUrl}`,
    TRUST_PROXY: '1',
    LOG_LEVEL: process.env.TEST_LOG_LEVEL ?? 'silent',
    ...(database && { DATABASE_URL: database.url }),
    ...env,
  }
  const start = async (more: Record<string, string> = {}) => {
    const { config } = readConfig({ ...settings, ...more })
    const app = await startApp({ config, log: createLog(config.logLevel), clock, migrate: true })
    opened.defer(() => app.close())
    return app
  }
  const app = await start()
  await loadDescription(app.url)

  const world: World = {
    app,
    clock,
    gitlab,
    github,
    adminToken,
    databaseUrl: database?.url ?? env.DATABASE_URL,
    async request(method, path, options = {}) {
      const answer = await send(options.url ?? app.url, method, path, options)
      if (options.isApi !== false) await assertDescribed(method, path, answer)
      return answer
    },
    admin: (method, path, body) =>
      world.request(method, path, { body, headers: { authorization: `Bearer ${adminToken}` } }),
    exchange: (token, email, more = {}) =>
      world.request('POST', '/v1/auth:exchangeToken', { body: { token, email, ...more } }),
    async createIdentity(rules, { id = `id-${randomUUID().slice(0, 8)}`, config = {}, identity = {} } = {}) {
      const body = {
        title: 'Deploy',
        workloadIdentityConfig: { providerType: 'GITLAB', issuerUrl: gitlab.issuerUrl, rules, ...config },
        ...identity,
      }
      const created = await world.admin(
        'POST',
        `/v1/workspaces/default/workloadIdentities?workloadIdentityId=${id}`,
        body,
      )
      if (created.status !== 200) throw new Error(`creating the identity failed: ${created.text}`)
      return created.json.email
    },
    async decisions(email) {
      const answer = await world.admin(
        'GET',
        `/v1/decisions?pageSize=1000&identity=${encodeURIComponent(email)}`,
      )
      return answer.json.decisions
    },
    async lastDecision(email) {
      const answer = await world.admin(
        'GET',
        `/v1/decisions?pageSize=1&identity=${encodeURIComponent(email)}`,
      )
      return answer.json.decisions[0]
    },
    startInstance: start,
    close: () => opened.disposeAsync(),
  }
  return world
}

let addresses = 0

/** Every case has an address of its own, so that no limit on one is met by another. */
function nextAddress(): string {
  addresses += 1
  return `198.51.${(addresses >> 8) & 255}.${addresses & 255}`
}

async function send(url: string, method: string, path: string, options: RequestOptions): Promise<Answer> {
  const body = options.raw ?? (options.body === undefined ? undefined : JSON.stringify(options.body))
  const response = await fetch(`${url}${path}`, {
    method,
    headers: {
      'x-forwarded-for': options.ip ?? nextAddress(),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...options.headers,
    },
    ...(body !== undefined && { body: body as string }),
  })
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.startsWith('application/json')
  return {
    status: response.status,
    headers: response.headers,
    text,
    json: isJson && text !== '' ? JSON.parse(text) : undefined,
  }
}

type OwnDatabase = { readonly url: string; readonly drop: () => Promise<void> }

/** An empty database on the test server. */
export function createDatabase(): Promise<OwnDatabase> {
  return createDatabaseFrom('template1')
}

/** A database with the schema and nothing in it, on the test server. */
export function createMigratedDatabase(): Promise<OwnDatabase> {
  return createDatabaseFrom(POSTGRESQL_TEMPLATE)
}

async function createDatabaseFrom(template: string): Promise<OwnDatabase> {
  const server = process.env.TEST_POSTGRES_URL ?? ''
  const name = `test_${randomBytes(6).toString('hex')}`
  await runSql(`${server}/postgres`, `create database ${name} template ${template}`)
  return {
    url: `${server}/${name}`,
    drop: async () =>
      void (await runSql(`${server}/postgres`, `drop database if exists ${name} with (force)`)),
  }
}

/** Runs SQL on a connection of its own, as the database's superuser: for what only an operator or an accident does. */
export async function runSql(url: string, sql: string, values: readonly unknown[] = []) {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(sql, [...values])).rows
  } finally {
    await client.end()
  }
}
