import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { identityBody } from '../support/identity-body.ts'
import { sendForm } from '../support/oauth.ts'
import { type Answer, DATABASES, IDENTITY_DOMAIN, runSql, startWorld, type World } from '../support/world.ts'

const RULE = { id: 'deploy', group: 'acme' }
const GUARDRAILS =
  'package claimgate.guardrails\n\nrequired := {"hosted": "Only our runners."}\n\nmet contains "hosted" if input.claims.runner_environment == "self-hosted"\n'

/** What need not record a change, and why. */
const CHANGES_NOTHING: Readonly<Record<string, string>> = {
  'POST /v1/auth:exchangeToken': 'is recorded as a decision',
  'POST /v1/auth:explainToken': 'is recorded as a decision',
  'POST /oauth2/token': 'is recorded as a decision',
  'POST /access/v1/evaluation': 'is recorded as a decision',
  'POST /access/v1/evaluations': 'is recorded as a decision',
  'POST /oauth2/introspect': 'reads',
  'POST /v1/workloadIdentities:validate': 'reads',
  'POST /v1/workloadIdentities/{email}:evaluate': 'reads',
  'POST /v1/workspaces/default:planPolicies': 'reads',
  'POST /v1/workloadIdentities/{email}/draft:impact': 'reads, and notes with the draft that it was looked at',
  'POST /v1/guardrails/draft:impact': 'reads, and notes with the draft that it was looked at',
}

/** Sends a call as an administrator, with an id of its own; again as it was where that is asked for. */
type Send = (requestId: string) => Promise<Answer>

let ids = 0
const newId = (what: string) => `${what}-${++ids}`

/** Of each call that changes something one that does, made ready to be sent. */
function changesIn(world: World): Readonly<Record<string, () => Promise<Send>>> {
  const headersOf = (requestId: string) => ({
    authorization: `Bearer ${world.adminToken}`,
    'x-request-id': requestId,
  })
  const call =
    (method: string, path: string, body?: unknown): Send =>
    (requestId) =>
      world.request(method, path, { body, headers: headersOf(requestId) })
  const ok = async (method: string, path: string, body?: unknown) => {
    const { status, text, json } = await world.admin(method, path, body)
    assert.equal(status, 200, text)
    return json
  }
  const identity = async () => `/v1/workloadIdentities/${await world.createIdentity([RULE])}`
  const drafted = async () => {
    const path = await identity()
    await ok('PUT', `${path}/draft`, { title: 'Drafted' })
    return path
  }
  const made = async (collection: string, idParameter: string, body: object) => {
    const id = newId('made')
    await ok('POST', `/v1/${collection}?${idParameter}=${id}`, body)
    return `/v1/${collection}/${id}`
  }
  const deleted = async (path: string) => {
    await ok('DELETE', path)
    return path
  }
  const project = () => made('projects', 'projectId', {})
  const role = () => made('roles', 'roleId', { permissions: ['app.read'] })
  const issuerBody = () => ({ issuerUrl: `https://${newId('i')}.example.com`, providerType: 'GITLAB' })
  const issuer = () => made('issuers', 'issuerId', issuerBody())
  const adminToken = () => made('adminTokens', 'adminTokenId', { roles: ['roles/auditor'] })
  const body = () => identityBody(world.gitlab.issuerUrl, { rules: [RULE] })
  const draftedGuardrails = () => ok('PUT', '/v1/guardrails/draft', { source: GUARDRAILS })

  return {
    'POST /v1/workspaces/default/workloadIdentities': async () =>
      call('POST', `/v1/workspaces/default/workloadIdentities?workloadIdentityId=${newId('w')}`, body()),
    'POST /v1/projects/{project}/workloadIdentities': async () =>
      call('POST', `${await project()}/workloadIdentities?workloadIdentityId=${newId('w')}`, body()),
    'PATCH /v1/workloadIdentities/{email}': async () => call('PATCH', await identity(), { title: 'Other' }),
    'DELETE /v1/workloadIdentities/{email}': async () => call('DELETE', await identity()),
    'POST /v1/workloadIdentities/{email}:undelete': async () =>
      call('POST', `${await deleted(await identity())}:undelete`),
    'POST /v1/workloadIdentities/{email}:revokeTokens': async () =>
      call('POST', `${await identity()}:revokeTokens`),
    'POST /v1/workloadIdentities/{email}/policyVersions/{version}:rollback': async () => {
      const path = await identity()
      await ok('PATCH', path, { title: 'Other' })
      return call('POST', `${path}/policyVersions/1:rollback`)
    },
    'PUT /v1/workloadIdentities/{email}/draft': async () =>
      call('PUT', `${await identity()}/draft`, { title: 'Drafted' }),
    'DELETE /v1/workloadIdentities/{email}/draft': async () => call('DELETE', `${await drafted()}/draft`),
    'POST /v1/workloadIdentities/{email}/draft:activate': async () => {
      const path = await drafted()
      const { id: impact } = await ok('POST', `${path}/draft:impact`)
      return call('POST', `${path}/draft:activate`, { impact })
    },
    'POST /v1/workspaces/default:applyPolicies': async () => {
      const email = `${newId('w')}@${IDENTITY_DOMAIN}`
      const changes = [{ action: 'CREATE', email, workloadIdentity: body() }]
      return call('POST', '/v1/workspaces/default:applyPolicies', { changes })
    },
    'PUT /v1/guardrails': async () => call('PUT', '/v1/guardrails', { source: GUARDRAILS }),
    'POST /v1/guardrails/versions/{version}:rollback': async () => {
      await ok('PUT', '/v1/guardrails', { source: '' })
      const [newest] = (await ok('GET', '/v1/guardrails/versions')).versions
      await ok('PUT', '/v1/guardrails', { source: GUARDRAILS })
      return call('POST', `/v1/${newest.name}:rollback`)
    },
    'PUT /v1/guardrails/draft': async () => call('PUT', '/v1/guardrails/draft', { source: GUARDRAILS }),
    'DELETE /v1/guardrails/draft': async () => {
      await draftedGuardrails()
      return call('DELETE', '/v1/guardrails/draft')
    },
    'POST /v1/guardrails/draft:activate': async () => {
      await draftedGuardrails()
      const { id: impact } = await ok('POST', '/v1/guardrails/draft:impact')
      return call('POST', '/v1/guardrails/draft:activate', { impact })
    },
    'POST /v1/projects': async () => call('POST', `/v1/projects?projectId=${newId('p')}`, {}),
    'PATCH /v1/projects/{project}': async () => call('PATCH', await project(), { title: 'Other' }),
    'DELETE /v1/projects/{project}': async () => call('DELETE', await project()),
    'POST /v1/projects/{project}:undelete': async () =>
      call('POST', `${await deleted(await project())}:undelete`),
    'POST /v1/projects/{project}:setIamPolicy': async () => {
      const members = [`workloadIdentity:${await world.createIdentity([RULE])}`]
      const policy = { bindings: [{ role: 'roles/auditor', members }] }
      return call('POST', `${await project()}:setIamPolicy`, { policy })
    },
    'POST /v1/roles': async () => call('POST', `/v1/roles?roleId=${newId('r')}`, {}),
    'PATCH /v1/roles/{id}': async () => call('PATCH', await role(), { title: 'Other' }),
    'DELETE /v1/roles/{id}': async () => call('DELETE', await role()),
    'POST /v1/issuers': async () => call('POST', `/v1/issuers?issuerId=${newId('i')}`, issuerBody()),
    'PATCH /v1/issuers/{id}': async () => call('PATCH', await issuer(), { title: 'Other' }),
    'DELETE /v1/issuers/{id}': async () => call('DELETE', await issuer()),
    'POST /v1/issuers/{id}:undelete': async () => call('POST', `${await deleted(await issuer())}:undelete`),
    'POST /v1/issuers/{id}:refreshKeys': async () => call('POST', `${await issuer()}:refreshKeys`),
    'POST /v1/adminTokens': async () =>
      call('POST', `/v1/adminTokens?adminTokenId=${newId('t')}`, { roles: ['roles/auditor'] }),
    'PATCH /v1/adminTokens/{id}': async () => call('PATCH', await adminToken(), { title: 'Other' }),
    'DELETE /v1/adminTokens/{id}': async () => call('DELETE', await adminToken()),
    'POST /v1/signingKeys:rotate': async () => call('POST', '/v1/signingKeys:rotate', {}),
    'POST /oauth2/revoke': async () => {
      await ok('PUT', '/v1/guardrails', { source: '' })
      const token = world.gitlab.signToken(gitlabClaims('18.4'))
      const { accessToken } = (await world.exchange(token, await world.createIdentity([RULE]))).json
      return (requestId) => sendForm(world, '/oauth2/revoke', { token: accessToken }, headersOf(requestId))
    },
  }
}

for (const kind of DATABASES) {
  describe(`every call that changes something, on ${kind}`, () => {
    let world: World
    let changes: ReturnType<typeof changesIn>

    before(async () => {
      world = await startWorld(kind)
      changes = changesIn(world)
      if (world.databaseUrl !== undefined) await runSql(world.databaseUrl, REFUSE_UNWRITABLE)
    })
    after(() => world?.close())

    const recordedOf = async (requestId: string) => {
      const { json } = await world.admin('GET', '/v1/changes?outcome=DONE&pageSize=20')
      return json.changes.filter((change: { requestId: string }) => change.requestId === requestId)
    }

    test('is known here, or why it need not record a change', async () => {
      const { paths } = (await world.request('GET', '/openapi.json')).json
      const calls = Object.entries<object>(paths).flatMap(([path, operations]) =>
        Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
      )

      const known = [...Object.keys(changes), ...Object.keys(CHANGES_NOTHING)]

      assert.deepEqual(calls.filter((call) => !call.startsWith('GET ')).sort(), known.sort())
    })

    for (const call of Object.keys(changesIn({} as World))) {
      test(`${call} records who did what, in its own transaction`, async () => {
        const send = await changes[call]?.()
        assert.ok(send)
        if (world.databaseUrl !== undefined) {
          const stored = await contents(world.databaseUrl)

          const refused = await send('unwritable')

          assert.equal(refused.status, 500, refused.text)
          assert.deepEqual(await contents(world.databaseUrl), stored)
        }
        const requestId = newId('asked')

        const answer = await send(requestId)

        assert.equal(answer.status, 200, answer.text)
        const recorded = await recordedOf(requestId)
        assert.ok(recorded.length > 0)
        for (const { author, before, after } of recorded) {
          assert.equal(author, 'adminTokens/first')
          assert.notDeepEqual([before, after], [null, null])
        }
      })
    }
  })
}

const REFUSE_UNWRITABLE = `
  create function refuse_unwritable() returns trigger language plpgsql as $$
    begin
      if new.request_id = 'unwritable' then raise exception 'no'; end if;
      return new;
    end $$;
  create trigger refuse_unwritable before insert on changes
    for each row execute function refuse_unwritable()`

/** What every table holds, but for what the service notes of itself. */
async function contents(url: string): Promise<readonly object[]> {
  const tables = await runSql(
    url,
    `select quote_ident(relname) as name from pg_class
      where relkind = 'r' and relnamespace = 'public'::regnamespace and relname <> 'readiness' order by 1`,
  )
  const each = tables.map(
    ({ name }) =>
      `select '${name}' as name, (select md5(string_agg(t::text, ' ' order by t::text)) from ${name} t) as held`,
  )
  return runSql(url, each.join(' union all '))
}
