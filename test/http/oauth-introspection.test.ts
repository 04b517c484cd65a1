import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { assertSafeHeaders } from '../support/answers.ts'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { assertOAuthError, sendForm } from '../support/oauth.ts'
import { DATABASES, startWorld, type World } from '../support/world.ts'

const AGENT = 'roles/gitopsServiceAgent'
const RULE = { id: 'deploy', group: 'acme', project: 'app', roles: [AGENT] }

for (const kind of DATABASES) {
  describe(`what an access token is worth, on ${kind}`, () => {
    let world: World
    let email: string

    before(async () => {
      world = await startWorld(kind)
      email = await world.createIdentity([RULE], { identity: { tokenAudiences: ['urn:service'] } })
    })
    after(() => world?.close())

    async function signIn(of = email, more: Record<string, unknown> = {}): Promise<string> {
      const answer = await world.exchange(world.gitlab.signToken(gitlabClaims('18.4')), of, more)
      assert.equal(answer.status, 200, answer.text)
      return answer.json.accessToken
    }
    const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
    const introspect = (token: string, more: Record<string, string> = {}) =>
      sendForm(world, '/oauth2/introspect', { token, ...more }, bearer(world.adminToken))
    const revoke = (token: string, by = world.adminToken) =>
      sendForm(world, '/oauth2/revoke', { token }, bearer(by))
    const isActive = async (token: string) => (await introspect(token)).json.active as boolean
    const me = (token: string) => world.request('GET', '/v1/users/me', { headers: bearer(token) })
    const claimsOf = (token: string) =>
      JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
    const administratorsToken = async () =>
      signIn(await world.createIdentity([{ ...RULE, roles: ['roles/workspaceAdmin'] }]))

    test('a token that counts is told with all that it says and still gives', async () => {
      const token = await signIn()

      const answer = await introspect(token)

      const { iss, sub, aud, iat, nbf, exp, jti, client_id, workload } = claimsOf(token)
      assert.equal(answer.status, 200, answer.text)
      assert.deepEqual(answer.json, {
        active: true,
        ...{ iss, sub, aud, client_id, token_type: 'Bearer', iat, nbf, exp, jti },
        roles: [AGENT],
        projects: [],
        rules: ['deploy'],
        workload,
      })
      assert.equal(workload.project_path, 'acme/app')
      assertSafeHeaders(answer)
    })

    test('a token for a service behind is told too, and opens nothing here', async () => {
      const token = await signIn(email, { audience: 'urn:service' })

      const answer = await introspect(token)

      assert.equal(answer.json.active, true)
      assert.equal(answer.json.aud, 'urn:service')
      assert.equal((await me(token)).status, 401)
    })

    test('roles that its rules give no more are left out, and a project’s roles stand apart', async () => {
      const rules = [{ ...RULE, roles: [AGENT, 'roles/auditor'] }]
      const narrowed = await world.createIdentity(rules)
      const token = await signIn(narrowed)
      await world.admin('POST', '/v1/projects?projectId=web', {})
      const created = await world.admin('POST', '/v1/projects/web/workloadIdentities?workloadIdentityId=ci', {
        title: 'CI',
        workloadIdentityConfig: { providerType: 'GITLAB', issuerUrl: world.gitlab.issuerUrl, rules },
      })

      await world.admin('PATCH', `/v1/workloadIdentities/${narrowed}`, {
        workloadIdentityConfig: { rules: [RULE] },
      })

      assert.deepEqual((await introspect(token)).json.roles, [AGENT])
      const ofProject = (await introspect(await signIn(created.json.email))).json
      assert.deepEqual(ofProject.roles, [])
      assert.deepEqual(ofProject.projects, [{ name: 'projects/web', roles: ['roles/auditor', AGENT] }])
    })

    test('what does not count is inactive, and nothing more is told', async () => {
      const disabled = await world.createIdentity([RULE])
      const ofDisabled = await signIn(disabled)
      await world.admin('PATCH', `/v1/workloadIdentities/${disabled}`, { state: 'DISABLED' })
      const deleted = await world.createIdentity([RULE], { id: 'phoenix' })
      const ofDeleted = await signIn(deleted)
      await world.admin('DELETE', `/v1/workloadIdentities/${deleted}`)
      await world.createIdentity([RULE], { id: 'phoenix' })
      const good = await signIn()
      const tokens = [
        ofDisabled,
        ofDeleted,
        world.gitlab.signToken(gitlabClaims('18.4')),
        world.adminToken,
        `${good}x`,
        good.slice(0, -10),
        'null',
        '{}',
        '🦊',
      ]

      for (const token of tokens) {
        const answer = await introspect(token)

        assert.equal(answer.status, 200, token)
        assert.equal(answer.text, '{"active":false}', token)
      }
      assert.equal(await isActive(good), true)
    })

    test('a token is active until it expires, tolerance included', async () => {
      const short = await world.createIdentity([RULE], { identity: { tokenLifetimeSeconds: 60 } })
      const token = await signIn(short)

      world.clock.advance(119_000)
      const before = await isActive(token)
      world.clock.advance(1_000)

      assert.deepEqual([before, await isActive(token)], [true, false])
    })

    test('a hint of whatever type changes nothing', async () => {
      const token = await signIn()

      for (const hint of ['access_token', 'refresh_token', 'x']) {
        assert.equal((await introspect(token, { token_type_hint: hint })).json.active, true, hint)
      }
    })

    test('a revoked token counts nowhere and for nobody from then on, and no other is touched', async () => {
      const [token, other] = [await signIn(), await signIn()]
      assert.equal((await me(token)).status, 200)

      const answer = await revoke(token)

      assert.equal(answer.status, 200, answer.text)
      assert.equal(answer.text, '{}')
      assertSafeHeaders(answer)
      assert.equal(await isActive(token), false)
      assert.equal((await me(token)).status, 401)
      assert.equal(await isActive(other), true)
    })

    test('revoking again, or what is no token, is answered the same', async () => {
      const token = await signIn()
      const tokens = [
        token,
        token,
        'nonsense',
        world.gitlab.signToken(gitlabClaims('18.4')),
        world.adminToken,
      ]

      for (const each of tokens) {
        const answer = await revoke(each)

        assert.deepEqual([answer.status, answer.text], [200, '{}'])
      }
      assert.equal((await world.admin('GET', '/v1/issuers')).status, 200)
    })

    test('a token revoked while its identity was disabled stays so when that is enabled', async () => {
      const paused = await world.createIdentity([RULE])
      const [revoked, kept] = [await signIn(paused), await signIn(paused)]
      await world.admin('PATCH', `/v1/workloadIdentities/${paused}`, { state: 'DISABLED' })

      await revoke(revoked)
      await world.admin('PATCH', `/v1/workloadIdentities/${paused}`, { state: 'ACTIVE' })

      assert.deepEqual([await isActive(revoked), await isActive(kept)], [false, true])
    })

    test('a token for another service is revoked too, and by its own bearer', async () => {
      const token = await signIn(email, { audience: 'urn:service' })

      const answer = await revoke(token, token)

      assert.equal(answer.status, 200, answer.text)
      assert.equal(await isActive(token), false)
    })

    test('the bearer of a token ends that one and no other', async () => {
      const [mine, yours] = [await signIn(), await signIn()]

      const refused = await revoke(yours, mine)
      const own = await revoke(mine, mine)

      assertOAuthError(refused, 403, 'insufficient_scope', /claimgate\.tokens\.revoke/)
      assert.equal(refused.headers.get('www-authenticate'), 'Bearer error="insufficient_scope"')
      assert.equal(own.status, 200, own.text)
      assert.deepEqual([await isActive(mine), await isActive(yours)], [false, true])
    })

    test('a job whose identity holds the permissions introspects and revokes', async () => {
      const [by, token] = [await administratorsToken(), await signIn()]

      const before = await sendForm(world, '/oauth2/introspect', { token }, bearer(by))
      await revoke(token, by)
      const after = await sendForm(world, '/oauth2/introspect', { token }, bearer(by))

      assert.deepEqual([before.json.active, after.json.active], [true, false])
    })

    test('a revoked token of an administrator administers no more', async () => {
      const token = await administratorsToken()
      assert.equal((await introspect(token)).json.active, true)

      await revoke(token)

      assertOAuthError(await revoke(await signIn(), token), 401, 'invalid_token', /./)
    })

    for (const path of ['/oauth2/introspect', '/oauth2/revoke']) {
      test(`${path} answers nobody without the permission, and says how to authenticate`, async () => {
        const token = await signIn()
        const stranger = await signIn()

        const none = await sendForm(world, path, { token })
        const unknown = await sendForm(world, path, { token }, bearer('x'.repeat(40)))
        const lacking = await sendForm(world, path, { token }, bearer(stranger))
        const basic = await sendForm(world, path, { token }, { authorization: 'Basic eDp5' })

        assertOAuthError(none, 401, 'invalid_token', /./)
        assert.equal(none.headers.get('www-authenticate'), 'Bearer')
        assertOAuthError(unknown, 401, 'invalid_token', /./)
        assert.equal(unknown.headers.get('www-authenticate'), 'Bearer error="invalid_token"')
        assertOAuthError(basic, 401, 'invalid_token', /./)
        assertOAuthError(lacking, 403, 'insufficient_scope', /permission claimgate\.tokens\./)
        assert.equal(await isActive(token), true)
      })

      test(`${path} names what is wrong with its form`, async () => {
        const send = (form: Parameters<typeof sendForm>[2]) =>
          sendForm(world, path, form, bearer(world.adminToken))

        assertOAuthError(await send({}), 400, 'invalid_request', /token is required/)
        assertOAuthError(await send({ token: '' }), 400, 'invalid_request', /token is required/)
        const twice = [
          ['token', 'a'],
          ['token', 'b'],
        ] as const
        assertOAuthError(await send(twice), 400, 'invalid_request', /'token' is given 2 times/)
        assertOAuthError(await world.admin('POST', path, { token: 'a' }), 415, 'invalid_request', /form/)
        assertOAuthError(await world.request('GET', path), 405, 'invalid_request', /POST/)
        const other = await send({ token: 'a', colour: 'red' })
        assert.equal(other.status, 200, other.text)
      })
    }
  })
}

describe('the metadata', () => {
  const PATHS = ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration']

  test('names every endpoint by its address, for whoever asks from wherever', async () => {
    const world = await startWorld('embedded')
    try {
      for (const path of PATHS) {
        const answer = await world.request('GET', path)

        assert.equal(answer.status, 200, answer.text)
        assert.equal(answer.headers.get('access-control-allow-origin'), '*')
        assert.equal(answer.headers.get('cache-control'), 'public, max-age=300')
        assert.equal(answer.json.issuer, 'https://claimgate.example.com')
        for (const name of ['token_endpoint', 'introspection_endpoint', 'revocation_endpoint', 'jwks_uri']) {
          const url = new URL(answer.json[name])
          assert.equal(url.origin, 'https://claimgate.example.com')
          const found = await world.request(name === 'jwks_uri' ? 'GET' : 'POST', url.pathname)
          assert.ok(![404, 405].includes(found.status), url.pathname)
        }
        assert.deepEqual(answer.json.grant_types_supported, [
          'urn:ietf:params:oauth:grant-type:token-exchange',
        ])
        assert.deepEqual(answer.json.token_endpoint_auth_methods_supported, ['none'])
      }
    } finally {
      await world.close()
    }
  })

  test('of an issuer with a path is found where RFC 8414 has it, too', async () => {
    const world = await startWorld('embedded', { PUBLIC_URL: 'https://example.com/gate' })
    try {
      const answers = await Promise.all(
        [...PATHS, `${PATHS[0]}/gate`].map((path) => world.request('GET', path, { isApi: false })),
      )

      for (const { json } of answers) {
        assert.equal(json.issuer, 'https://example.com/gate')
        assert.equal(json.token_endpoint, 'https://example.com/gate/oauth2/token')
      }
    } finally {
      await world.close()
    }
  })
})
