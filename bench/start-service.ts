import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { JWK } from 'jose'
import { freePort } from '../test/support/postgres.ts'
import { runSql } from '../test/support/world.ts'
import { type ServerProcess, startProcess } from './start-process.ts'

/** The service as it serves: a process of its own on a database of its own, with an issuer whose keys it has. */
export type Service = ServerProcess & {
  readonly name: string
  readonly databaseUrl: string
  readonly adminToken: string
  /** A request as an administrator; throws unless it is answered with 200. */
  // biome-ignore lint/suspicious/noExplicitAny: the bench looks into a few members of answers
  admin(method: string, path: string, body?: unknown): Promise<any>
  /** Creates an identity that lets the sender's jobs in; its email. */
  createIdentity(id: string): Promise<string>
}

export type ServiceOptions = {
  readonly name: string
  /** A checkout of the project. */
  readonly checkout: string
  readonly clusterUrl: string
  readonly directory: string
  readonly issuer: { readonly issuerUrl: string; readonly publicJwk: JWK }
  /** Settings beside those that it needs. */
  readonly env?: Readonly<Record<string, string>>
  /** Has Node write where its time went to this folder. */
  readonly profileDir?: string | undefined
}

/** What `npm start` gives Node: variables, its flags and the command. */
function startOf(checkout: string) {
  const { scripts } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8'))
  const [variables = '', words = ''] = String(scripts.start).split(/\bexec node /)
  return {
    env: Object.fromEntries(variables.split(' ').flatMap((word) => (word === '' ? [] : [word.split('=')]))),
    args: words.split(' ').map((word) => (word === 'src/main.ts' ? join(checkout, word) : word)),
  }
}

export async function startService(options: ServiceOptions): Promise<Service> {
  const { name, checkout, clusterUrl, directory, issuer, profileDir } = options
  const databaseName = `bench_${randomBytes(6).toString('hex')}`
  await runSql(`${clusterUrl}/postgres`, `create database ${databaseName}`)
  const databaseUrl = `${clusterUrl}/${databaseName}`
  const port = await freePort()
  const adminToken = randomBytes(24).toString('hex')
  const profiling = profileDir === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileDir}`]
  const start = startOf(checkout)
  const server = await startProcess({
    command: process.execPath,
    args: [...profiling, ...start.args],
    env: {
      ...start.env,
      PORT: String(port),
      DATABASE_URL: databaseUrl,
      ADMIN_TOKEN: adminToken,
      KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
      TRUST_PROXY: '1',
      ...options.env,
    },
    url: `http://127.0.0.1:${port}`,
    readyPath: '/readyz',
    logFile: join(directory, `${databaseName}.log`),
  })

  const admin: Service['admin'] = async (method, path, body) => {
    const response = await fetch(`${server.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    if (response.status !== 200)
      throw new Error(`${method} ${path} was answered with ${response.status}: ${text}`)
    return JSON.parse(text)
  }
  await admin('POST', '/v1/issuers?issuerId=gitlab', {
    issuerUrl: issuer.issuerUrl,
    providerType: 'GITLAB',
    jwks: { keys: [issuer.publicJwk] },
  })
  return {
    ...server,
    name,
    databaseUrl,
    adminToken,
    admin,
    async createIdentity(id) {
      const rule = {
        title: `Deploy ${id}`,
        group: 'acme',
        project: 'app',
        refs: [
          { type: 'BRANCH', pattern: 'main' },
          { type: 'TAG', pattern: 'v*' },
        ],
        roles: ['roles/gitopsServiceAgent'],
      }
      const config = { providerType: 'GITLAB', issuerUrl: issuer.issuerUrl, rules: [rule] }
      const path = `/v1/workspaces/default/workloadIdentities?workloadIdentityId=${id}`
      return (await admin('POST', path, { title: id, workloadIdentityConfig: config })).email
    },
  }
}
