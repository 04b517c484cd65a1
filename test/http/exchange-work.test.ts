import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { App } from '../../src/app.ts'
import { type DatabaseProxy, startDatabaseProxy } from '../support/database-proxy.ts'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { DATABASES, IDENTITY_DOMAIN, startWorld, type World } from '../support/world.ts'

const hasServer = DATABASES.some((kind) => kind === 'postgresql')

describe('the work of an exchange', { skip: hasServer ? false : 'there is no PostgreSQL server' }, () => {
  let world: World
  let proxy: DatabaseProxy
  let counted: App

  before(async () => {
    world = await startWorld('postgresql')
    proxy = await startDatabaseProxy(world.databaseUrl ?? '')
    counted = await world.startInstance({ DATABASE_URL: proxy.url })
  })
  after(async () => {
    await world?.close()
    await proxy?.close()
  })

  /** The statements that one more exchange takes, once the service knows everything about it that it remembers. */
  async function warmStatements(email: string, status: number, more: object = {}): Promise<number> {
    const exchange = () =>
      world.request('POST', '/v1/auth:exchangeToken', {
        url: counted.url,
        body: { token: world.gitlab.signToken(gitlabClaims('18.4')), email, ...more },
      })
    await exchange()
    await exchange()
    const before = proxy.roundTrips()

    const answer = await exchange()

    assert.equal(answer.status, status, answer.text)
    return proxy.roundTrips() - before
  }

  test('a warm exchange makes one round trip to the database, allowed or refused inside the group', async () => {
    const allowed = await world.createIdentity([{ group: 'acme' }])
    const refused = await world.createIdentity([{ group: 'acme', project: 'other' }])

    assert.equal(await warmStatements(allowed, 200), 1)
    assert.equal(await warmStatements(refused, 403), 1)
    assert.equal(await warmStatements(await identityOf('web'), 200), 1)
  })

  test('who is no part of an identity causes the same work, whether there is one or not', async () => {
    const deleted = await world.createIdentity([{ group: 'acme' }])
    await world.admin('DELETE', `/v1/workloadIdentities/${deleted}`)
    const issuerUrl = 'https://gitlab.example.org'
    const identities = {
      unknown: `nobody@${IDENTITY_DOMAIN}`,
      deleted,
      'of a deleted project': await identityOfDeletedProject(),
      'of another issuer': await world.createIdentity([{ group: 'acme' }], { config: { issuerUrl } }),
      'of another group': await world.createIdentity([{ group: 'others' }]),
      'in use by others': await inUse(),
    }

    const statements: Record<string, number> = {}
    for (const [name, email] of Object.entries(identities))
      statements[name] = await warmStatements(email, 401)

    assert.equal(new Set(Object.values(statements)).size, 1, JSON.stringify(statements))
  })

  test('guardrails and conditions add no round trip, and outsiders cause the same work under them', async () => {
    const demand = (name: string) =>
      `package claimgate.${name}\nrequired := {"main": "Main."}\nmet contains "main" if input.claims.ref == "main"\n`
    const conditions = demand('conditions')
    const own = await world.createIdentity([{ group: 'acme' }], { config: { conditions } })
    const others = await world.createIdentity([{ group: 'others' }], { config: { conditions } })

    await world.admin('PUT', '/v1/guardrails', { source: demand('guardrails') })

    assert.equal(await warmStatements(own, 200), 1)
    const outside = [await warmStatements(others, 401), await warmStatements(`no@${IDENTITY_DOMAIN}`, 401)]
    assert.equal(outside[0], outside[1])
    await world.admin('PUT', '/v1/guardrails', { source: '' })
  })

  test('a token that does not verify asks for the database once, to be recorded', async () => {
    const email = await world.createIdentity([{ group: 'acme' }])

    assert.equal(await warmStatements(email, 401, { token: 'not.a.token' }), 1)
  })

  async function identityOf(project: string): Promise<string> {
    await world.admin('POST', `/v1/projects?projectId=${project}`, {})
    const config = { providerType: 'GITLAB', issuerUrl: world.gitlab.issuerUrl, rules: [{ group: 'acme' }] }
    const path = `/v1/projects/${project}/workloadIdentities?workloadIdentityId=deploy`
    return (await world.admin('POST', path, { workloadIdentityConfig: config })).json.email
  }

  async function identityOfDeletedProject(): Promise<string> {
    const email = await identityOf('gone')
    await world.admin('DELETE', '/v1/projects/gone')
    return email
  }

  async function inUse(): Promise<string> {
    const email = await world.createIdentity([{ group: 'others' }])
    for (let n = 0; n < 3; n++) {
      const token = world.gitlab.signToken(gitlabClaims('18.4', { project_path: 'others/app' }))
      await world.request('POST', '/v1/auth:exchangeToken', { url: counted.url, body: { token, email } })
    }
    return email
  }
})
