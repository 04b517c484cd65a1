import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { assertProblem } from '../support/answers.ts'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { identityBody } from '../support/identity-body.ts'
import { sendForm } from '../support/oauth.ts'
import { DATABASES, IDENTITY_DOMAIN, startWorld, type World } from '../support/world.ts'

const IDENTITIES = '/v1/workspaces/default/workloadIdentities'
const RULE = { id: 'deploy', group: 'acme' }
const NO_REFUSAL = { code: null, message: null, count: 1 }

for (const kind of DATABASES) {
  describe(`changes on ${kind}`, () => {
    let world: World

    before(async () => {
      world = await startWorld(kind)
    })
    after(() => world?.close())

    let ids = 0
    const newId = (what: string) => `${what}-${++ids}`
    const list = async (query: Record<string, string>) => {
      const answer = await world.admin('GET', `/v1/changes?${new URLSearchParams(query)}`)
      assert.equal(answer.status, 200, answer.text)
      return answer.json.changes
    }
    /** Of one resource, oldest first: what was done and what was there. */
    const story = async (resource: string) =>
      (await list({ resource, pageSize: '100' }))
        .toReversed()
        .map(({ verb, before, after }: Record<string, unknown>) => ({ verb, before, after }))
    const withoutNotes = ({ findings: _findings, notices: _notices, keys: _keys, ...resource }: Shown) =>
      resource
    type Shown = Record<string, unknown>
    const ok = async (answer: ReturnType<World['admin']>) => {
      const { status, json, text } = await answer
      assert.equal(status, 200, text)
      return json
    }
    async function signIn(roles: readonly string[]): Promise<{ email: string; token: string }> {
      const email = await world.createIdentity([{ ...RULE, roles }])
      const answer = await world.exchange(world.gitlab.signToken(gitlabClaims('18.4')), email)
      return { email, token: answer.json.accessToken }
    }
    const as = (token: string, method: string, path: string, body?: unknown) =>
      world.request(method, path, { body, headers: { authorization: `Bearer ${token}` } })

    test('who, what, why, by which request and from where is written down with a change', async () => {
      const id = newId('p')
      const answer = await world.request('POST', `/v1/projects?projectId=${id}&reason=for%20payments`, {
        body: { title: 'Payments' },
        headers: { authorization: `Bearer ${world.adminToken}`, 'x-request-id': 'asked-by-me' },
        ip: '203.0.113.9',
      })

      const [{ name, ...change }] = await list({ resource: `projects/${id}` })

      assert.match(name, /^changes\/[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
      assert.deepEqual(change, {
        ...NO_REFUSAL,
        outcome: 'DONE',
        author: 'adminTokens/first',
        verb: 'CREATE',
        resource: `projects/${id}`,
        before: null,
        after: answer.json,
        reason: 'for payments',
        requestId: 'asked-by-me',
        callerIp: '203.0.113.9',
        createTime: new Date(world.clock()).toISOString(),
      })
      assert.deepEqual((await world.admin('GET', `/v1/${name}`)).json, { name, ...change })
    })

    test('every change of a project is, with what was answered before and after it', async () => {
      const id = newId('p')
      const path = `/v1/projects/${id}`
      const created = await ok(world.admin('POST', `/v1/projects?projectId=${id}`, {}))
      const updated = await ok(world.admin('PATCH', path, { title: 'Other' }))
      await ok(world.admin('DELETE', path))
      const deleted = await ok(world.admin('GET', path))
      const undeleted = await ok(world.admin('POST', `${path}:undelete`))

      assert.deepEqual(await story(`projects/${id}`), [
        { verb: 'CREATE', before: null, after: created },
        { verb: 'UPDATE', before: created, after: updated },
        { verb: 'DELETE', before: updated, after: deleted },
        { verb: 'UNDELETE', before: deleted, after: undeleted },
      ])
    })

    test('every change of an issuer is, asking for its keys too, and never a private key', async () => {
      const id = newId('i')
      const path = `/v1/issuers/${id}`
      const body = { issuerUrl: `https://${id}.example.com`, providerType: 'GITLAB' }
      const created = withoutNotes(await ok(world.admin('POST', `/v1/issuers?issuerId=${id}`, body)))
      const refreshed = withoutNotes(await ok(world.admin('POST', `${path}:refreshKeys`)))
      const disabled = withoutNotes(await ok(world.admin('PATCH', path, { state: 'DISABLED' })))
      const { privateKey } = (await import('node:crypto')).generateKeyPairSync('rsa', { modulusLength: 2048 })
      const secret = privateKey.export({ format: 'jwk' })
      await world.admin('PATCH', path, { jwks: { keys: [{ ...secret, kid: 'k', alg: 'RS256' }] } })
      await ok(world.admin('DELETE', path))
      await ok(world.admin('POST', `${path}:undelete`))

      const changes = await story(`issuers/${id}`)

      assert.deepEqual(changes.slice(0, 3), [
        { verb: 'CREATE', before: null, after: created },
        { verb: 'REFRESH_KEYS', before: refreshed, after: refreshed },
        { verb: 'UPDATE', before: created, after: disabled },
      ])
      assert.deepEqual(
        changes.slice(-2).map(({ verb }: Shown) => verb),
        ['DELETE', 'UNDELETE'],
      )
      assert.ok(!JSON.stringify(await list({ pageSize: '1000' })).includes(String(secret.d)))
    })

    test('every change of an identity is, roll-backs, drafts and activations by their names', async () => {
      const id = newId('w')
      const name = `workloadIdentities/${id}@${IDENTITY_DOMAIN}`
      const path = `/v1/${name}`
      const body = identityBody(world.gitlab.issuerUrl, { rules: [RULE] })
      const save = async (method: string, at: string, sent?: unknown) =>
        withoutNotes(await ok(world.admin(method, at, sent)))

      const created = await save('POST', `${IDENTITIES}?workloadIdentityId=${id}`, body)
      const updated = await save('PATCH', path, { title: 'Other' })
      const rolledBack = await save('POST', `${path}/policyVersions/1:rollback`)
      const drafted = await save('PUT', `${path}/draft`, { title: 'Drafted' })
      const redrafted = await save('PUT', `${path}/draft`, { title: 'Drafted again' })
      const impact = (await ok(world.admin('POST', `${path}/draft:impact`))).id
      const activated = await save('POST', `${path}/draft:activate`, { impact })
      const thrown = await save('PUT', `${path}/draft`, { title: 'Thrown away' })
      await save('DELETE', `${path}/draft`)
      await save('DELETE', path)
      const deleted = await save('GET', path)
      const undeleted = await save('POST', `${path}:undelete`)

      assert.deepEqual(await story(name), [
        { verb: 'CREATE', before: null, after: created },
        { verb: 'UPDATE', before: created, after: updated },
        { verb: 'ROLLBACK', before: updated, after: rolledBack },
        { verb: 'ACTIVATION', before: rolledBack, after: activated },
        { verb: 'DELETE', before: activated, after: deleted },
        { verb: 'UNDELETE', before: deleted, after: undeleted },
      ])
      assert.deepEqual(await story(`${name}/draft`), [
        { verb: 'CREATE', before: null, after: drafted },
        { verb: 'UPDATE', before: drafted, after: redrafted },
        { verb: 'ACTIVATION', before: { ...redrafted, impact }, after: null },
        { verb: 'CREATE', before: null, after: thrown },
        { verb: 'DELETE', before: thrown, after: null },
      ])
    })

    test('every change of a role is, and of who has it in a project', async () => {
      const id = newId('role')
      const project = newId('p')
      const email = await world.createIdentity([RULE])
      await ok(world.admin('POST', `/v1/projects?projectId=${project}`, {}))
      const created = await ok(world.admin('POST', `/v1/roles?roleId=${id}`, { permissions: ['app.read'] }))
      const updated = await ok(world.admin('PATCH', `/v1/roles/${id}`, { permissions: ['app.write'] }))
      const set = async (bindings: readonly object[]) =>
        withoutNotes(
          await ok(world.admin('POST', `/v1/projects/${project}:setIamPolicy`, { policy: { bindings } })),
        )
      const empty = await ok(world.admin('GET', `/v1/projects/${project}:getIamPolicy`))
      const given = await set([{ role: `roles/${id}`, members: [`workloadIdentity:${email}`] }])
      await set(given.bindings as readonly object[])
      const taken = await set([])
      await ok(world.admin('DELETE', `/v1/roles/${id}`))

      assert.deepEqual(await story(`roles/${id}`), [
        { verb: 'CREATE', before: null, after: created },
        { verb: 'UPDATE', before: created, after: updated },
        { verb: 'DELETE', before: updated, after: null },
      ])
      assert.deepEqual((await story(`projects/${project}`)).slice(1), [
        { verb: 'SET_IAM_POLICY', before: empty, after: given },
        { verb: 'SET_IAM_POLICY', before: given, after: taken },
      ])
    })

    test('the end of all tokens of an identity is, and of one token: who, and never the token', async () => {
      const { email, token } = await signIn([])
      const name = `workloadIdentities/${email}`
      const { token: other } = await signIn(['roles/workspaceAdmin'])
      const revoke = (of: string, by: string) =>
        sendForm(world, '/oauth2/revoke', { token: of }, { authorization: `Bearer ${by}` })
      const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
      const time = (seconds: number) => new Date(seconds * 1000).toISOString()
      const shown = {
        decision: `decisions/${claims.jti}`,
        audience: claims.aud,
        issueTime: time(claims.iat),
        expireTime: time(claims.exp),
      }
      const before = withoutNotes(await ok(world.admin('GET', `/v1/${name}`)))

      for (const by of [token, token, other, world.adminToken]) {
        assert.equal((await revoke(token, by)).status, 200)
      }
      await ok(world.admin('POST', `/v1/${name}:revokeTokens?reason=a%20leak`))
      const after = withoutNotes(await ok(world.admin('GET', `/v1/${name}`)))

      const changes = (await list({ resource: name })).toReversed().slice(1)
      assert.deepEqual(
        changes.map(({ verb, author, reason, before, after }: Shown) => ({
          ...{ verb, author, reason, before, after },
        })),
        [
          {
            verb: 'REVOKE',
            author: name,
            reason: null,
            before: { ...shown, isRevoked: false },
            after: { ...shown, isRevoked: true },
          },
          { verb: 'REVOKE_TOKENS', author: 'adminTokens/first', reason: 'a leak', before, after },
        ],
      )
      assert.ok(!JSON.stringify(changes).includes(token))
    })

    test('every rotation of the signing keys is, of each key that it changed, without what is private', async () => {
      const { signingKeys: first } = await ok(world.admin('GET', '/v1/signingKeys'))
      const next = await ok(world.admin('POST', '/v1/signingKeys:rotate?reason=yearly', {}))
      await ok(world.admin('POST', '/v1/signingKeys:rotate', {}))
      world.clock.advance(3_600_000)
      const { signingKeys: rotated } = await ok(world.admin('GET', '/v1/signingKeys'))
      const newest = await ok(world.admin('POST', '/v1/signingKeys:rotate', { immediately: true }))
      const { signingKeys: revoked } = await ok(world.admin('GET', '/v1/signingKeys'))
      const keyIn = (keys: readonly Shown[], { kid }: Shown) => keys.find((key) => key.kid === kid)

      const stories = await Promise.all(
        [first[0], next, newest].map(async ({ name }) =>
          (await list({ resource: name }))
            .toReversed()
            .map(({ verb, author, before, after }: Shown) => ({ verb, author, before, after })),
        ),
      )

      const [itself, administrator] = ['claimgate', 'adminTokens/first'].map((author) => ({
        verb: 'ROTATE',
        author,
      }))
      const change = (by: object | undefined, before: unknown, after: unknown) => ({ ...by, before, after })
      assert.deepEqual(stories, [
        [
          change(itself, null, first[0]),
          change(itself, first[0], keyIn(rotated, first[0])),
          change(administrator, keyIn(rotated, first[0]), keyIn(revoked, first[0])),
        ],
        [
          change(administrator, null, next),
          change(itself, next, keyIn(rotated, next)),
          change(administrator, keyIn(rotated, next), keyIn(revoked, next)),
        ],
        [change(administrator, null, newest)],
      ])
      assert.doesNotMatch(JSON.stringify(stories), /"d"|encrypted|sealed/)
    })

    test('an issuer that an identity brings along is registered by the same author', async () => {
      const id = newId('w')
      const body = identityBody(`https://${id}.example.com`, { rules: [RULE] })
      await ok(world.admin('POST', `${IDENTITIES}?workloadIdentityId=${id}&reason=new%20host`, body))

      const [change] = await list({ resource: `issuers/${id}-example-com` })

      assert.deepEqual(
        [change.verb, change.author, change.reason],
        ['CREATE', 'adminTokens/first', 'new host'],
      )
      assert.equal(change.after.issuerUrl, `https://${id}.example.com`)
    })

    test('every change of the guardrails is, their draft’s too', async () => {
      const source =
        'package claimgate.guardrails\n\nrequired := {"hosted": "Only our runners may deploy."}\n\nmet contains "hosted" if input.claims.runner_environment == "self-hosted"\n'
      const first = await ok(world.admin('GET', '/v1/guardrails'))
      const saved = await ok(world.admin('PUT', '/v1/guardrails', { source }))
      const removed = await ok(world.admin('PUT', '/v1/guardrails', { source: '' }))
      const drafted = await ok(world.admin('PUT', '/v1/guardrails/draft', { source }))
      await ok(world.admin('DELETE', '/v1/guardrails/draft'))
      const redrafted = await ok(world.admin('PUT', '/v1/guardrails/draft', { source: '' }))
      const impact = (await ok(world.admin('POST', '/v1/guardrails/draft:impact'))).id
      const activated = await ok(world.admin('POST', '/v1/guardrails/draft:activate', { impact }))

      assert.deepEqual(await story('guardrails'), [
        { verb: 'UPDATE', before: first, after: saved },
        { verb: 'UPDATE', before: saved, after: removed },
        { verb: 'ACTIVATION', before: removed, after: activated },
      ])
      assert.deepEqual(await story('guardrails/draft'), [
        { verb: 'CREATE', before: null, after: drafted },
        { verb: 'DELETE', before: drafted, after: null },
        { verb: 'CREATE', before: null, after: redrafted },
        { verb: 'ACTIVATION', before: { ...redrafted, impact }, after: null },
      ])
    })

    test('of many changes that are applied together each is, and none where one of them is refused', async () => {
      const names = [newId('w'), newId('w')].map((id) => `${id}@${IDENTITY_DOMAIN}`)
      const workloadIdentity = identityBody(world.gitlab.issuerUrl, { rules: [RULE] })
      const change = (email: string, more: object = {}) => ({
        action: 'CREATE',
        email,
        workloadIdentity: { ...workloadIdentity, ...more },
      })
      const apply = (changes: readonly object[]) =>
        world.admin('POST', '/v1/workspaces/default:applyPolicies?reason=together', { changes })

      const refused = await apply([change(names[0] ?? ''), change(names[1] ?? '', { title: '' })])
      const none = await list({ resource: `workloadIdentities/${names[0]}` })
      const applied = await apply([change(names[0] ?? ''), change(names[1] ?? '', { state: 'DISABLED' })])

      assert.equal(refused.status, 400, refused.text)
      assert.deepEqual(none, [])
      assert.equal(applied.status, 200, applied.text)
      const found = await Promise.all(names.map((email) => story(`workloadIdentities/${email}`)))
      assert.deepEqual(
        found.map((changes) => changes.map(({ verb, after }: Shown) => [verb, (after as Shown).state])),
        [
          [['CREATE', 'ACTIVE']],
          [
            ['CREATE', 'ACTIVE'],
            ['UPDATE', 'DISABLED'],
          ],
        ],
      )
    })

    describe('a refused attempt', () => {
      test('for want of a permission is written down, reading too, with what it was and what was answered', async () => {
        const { email, token } = await signIn(['roles/gitopsServiceAgent'])
        const answers = [
          await as(token, 'PATCH', '/v1/projects/none', { title: 'secret title' }),
          await as(token, 'GET', '/v1/decisions'),
          await as(token, 'POST', '/v1/projects?projectId=mine', {}),
          await as(token, 'POST', `/v1/workloadIdentities/${email}/draft:activate`, {}),
        ]

        const rows = (await list({ author: `workloadIdentities/${email}` })).toReversed()

        for (const answer of answers) assert.equal(answer.status, 403)
        assert.deepEqual(
          rows.map((row: Shown) => [row.outcome, row.verb, row.resource, row.code, row.message]),
          [
            ['REFUSED', 'UPDATE', 'projects/none', 7, answers[0]?.json.message],
            ['REFUSED', 'LIST', 'decisions', 7, answers[1]?.json.message],
            ['REFUSED', 'CREATE', 'projects/mine', 7, answers[2]?.json.message],
            ['REFUSED', 'ACTIVATION', `workloadIdentities/${email}/draft`, 7, answers[3]?.json.message],
          ],
        )
        assert.ok(!JSON.stringify(rows).includes('secret title'))
        assert.deepEqual(
          rows.map(({ requestId }: Shown) => requestId),
          answers.map(({ headers }) => headers.get('x-request-id')),
        )
      })

      test('for want of authority is, though the permission is there', async () => {
        const { email, token } = await signIn(['roles/policyAuthor'])
        const body = identityBody(world.gitlab.issuerUrl, {
          rules: [{ ...RULE, roles: ['roles/workspaceAdmin'] }],
        })

        const answer = await as(token, 'POST', `${IDENTITIES}?workloadIdentityId=stolen`, body)

        assertProblem(answer, 403, 7, /workspaceAdmin/)
        const [row] = await list({ author: `workloadIdentities/${email}` })
        assert.deepEqual(
          [row.outcome, row.verb, row.resource, row.code],
          ['REFUSED', 'CREATE', 'workloadIdentities/stolen', 7],
        )
      })

      test('at a change is, whatever it is refused for; reading what is not there is none', async () => {
        const id = newId('p')
        const { etag } = await ok(world.admin('POST', `/v1/projects?projectId=${id}`, {}))
        const path = `/v1/projects/${id}`
        const headers = { authorization: `Bearer ${world.adminToken}`, 'if-match': `"${Number(etag) + 1}"` }
        const answers = [
          await world.request('DELETE', path, { headers }),
          await world.admin('POST', `${path}:undelete`),
          await world.admin('POST', `/v1/projects?projectId=${id}`, {}),
          await world.admin('PATCH', path, { title: 7 }),
          await world.admin('PATCH', `/v1/projects/${id}-none`, { title: 'x' }),
        ]
        await world.admin('GET', `/v1/projects/${id}-none`)

        const rows = await list({ outcome: 'REFUSED', resource: `projects/${id}` })
        const absent = await list({ resource: `projects/${id}-none` })

        assert.deepEqual(
          answers.map(({ status }) => status),
          [409, 400, 409, 400, 404],
        )
        assert.deepEqual(
          rows.toReversed().map(({ verb, code }: Shown) => [verb, code]),
          [
            ['DELETE', 10],
            ['UNDELETE', 9],
            ['CREATE', 6],
            ['UPDATE', 3],
          ],
        )
        assert.deepEqual(
          absent.map(({ verb, code }: Shown) => [verb, code]),
          [['UPDATE', 5]],
        )
      })

      test('repeats no token that stands where a name belongs, and nothing that is no name', async () => {
        const { email, token } = await signIn([])
        await as(token, 'DELETE', `/v1/projects/${token}`)
        await as(token, 'DELETE', `/v1/projects/${token.slice(0, 40)}`)
        await as(token, 'DELETE', `/v1/projects/cgadm_${'s'.repeat(43)}`)
        await as(token, 'DELETE', `/v1/projects/${encodeURIComponent('a b\u2028c')}`)
        await as(token, 'POST', `/v1/projects?projectId=${token}`, {})

        const rows = await list({ author: `workloadIdentities/${email}` })

        assert.deepEqual(
          rows.toReversed().map(({ resource }: Shown) => resource),
          ['projects/{project}', 'projects/[token]', 'projects/[token]', 'projects/{project}', 'projects'],
        )
      })

      test('of nobody who is known is none', async () => {
        const before = await list({ outcome: 'REFUSED', pageSize: '1000' })

        for (const authorization of [undefined, 'Bearer none', `Bearer ${'x'.repeat(64)}`]) {
          const headers = authorization === undefined ? {} : { authorization }
          const answer = await world.request('DELETE', '/v1/projects/none', { headers })
          assert.equal(answer.status, 401)
        }

        assert.deepEqual(await list({ outcome: 'REFUSED', pageSize: '1000' }), before)
      })

      test('that comes again and again has thirty rows a minute, and no more', async () => {
        const { email, token } = await signIn([])
        const answers = []
        for (let n = 0; n < 33; n++) answers.push(await as(token, 'DELETE', '/v1/projects/none'))
        const author = `workloadIdentities/${email}`
        const rows = await list({ author, pageSize: '100' })

        world.clock.advance(60_000)
        await as(token, 'DELETE', '/v1/projects/none')
        const later = await list({ author, pageSize: '100' })

        for (const { status } of answers) assert.equal(status, 403)
        assert.equal(rows.length, 30)
        assert.ok(later.length > 30)
      })
    })

    describe('are listed', () => {
      test('newest first, each once over the pages, by author, resource, outcome and time', async () => {
        world.clock.advance(3_600_000)
        const since = new Date(world.clock()).toISOString()
        const made = []
        for (let n = 0; n < 3; n++) {
          made.push(newId('p'))
          await ok(world.admin('POST', `/v1/projects?projectId=${made.at(-1)}`, {}))
          await world.admin('POST', `/v1/projects?projectId=${made.at(-1)}`, {})
          world.clock.advance(1_000)
        }
        const until = new Date(world.clock() - 1_000).toISOString()

        const pages = []
        let pageToken = ''
        do {
          const query = new URLSearchParams({ since, outcome: 'DONE', pageSize: '2', pageToken })
          const page = (await world.admin('GET', `/v1/changes?${query}`)).json
          pages.push(page.changes.map(({ resource }: Shown) => resource))
          pageToken = page.nextPageToken
        } while (pageToken !== '')
        const author = 'adminTokens/first'
        const bounded = await list({ since, until, author, outcome: 'REFUSED' })
        const byOther = await list({ since, author: 'adminTokens/none' })

        const names = made.map((id) => `projects/${id}`).toReversed()
        assert.deepEqual(pages, [names.slice(0, 2), names.slice(2)])
        assert.deepEqual(
          bounded.map(({ resource }: Shown) => resource),
          names.slice(1),
        )
        assert.deepEqual(byOther, [])
      })

      test('and got by who may read them: nobody else, and nothing changes them', async () => {
        const { token } = await signIn(['roles/auditor'])
        const { token: agent } = await signIn(['roles/gitopsServiceAgent'])
        const [{ name }] = (await as(token, 'GET', '/v1/changes?pageSize=1')).json.changes

        assert.equal((await as(token, 'GET', `/v1/${name}`)).status, 200)
        for (const path of ['/v1/changes', `/v1/${name}`]) {
          assertProblem(await as(agent, 'GET', path), 403, 7, /claimgate\.changes\./)
        }
        assertProblem(await world.admin('DELETE', `/v1/${name}`), 405, 12, /./)
        assertProblem(await world.admin('GET', '/v1/changes/none'), 404, 5, /no such change/)
        assertProblem(await world.admin('GET', '/v1/changes?outcome=MAYBE'), 400, 3, /outcome/)
        assertProblem(
          await world.admin('GET', '/v1/changes?since=2026-02-01T00:00:00Z&until=2026-01-01T00:00:00Z'),
          400,
          3,
          /since/,
        )
      })
    })
  })
}
