import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { assertProblem } from '../support/answers.ts'
import { assertForbidden, type DescribedCall, describedCalls } from '../support/described-calls.ts'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { identityBody } from '../support/identity-body.ts'
import { signJws } from '../support/token-issuer.ts'
import { type Answer, ONE_DATABASE, startWorld, type World } from '../support/world.ts'

const IDENTITIES = '/v1/workspaces/default/workloadIdentities'
const ADMIN = 'roles/workspaceAdmin'
const AUTHOR = 'roles/policyAuthor'
const AUDITOR = 'roles/auditor'
const AGENT = 'roles/gitopsServiceAgent'

/** What asks for no permission; any other call must declare one. */
const OPEN = [
  'POST /v1/auth:exchangeToken',
  'POST /v1/auth:explainToken',
  'GET /v1/users/me',
  'POST /oauth2/token',
  'GET /.well-known/jwks.json',
  'GET /.well-known/authzen-configuration',
  'GET /.well-known/oauth-authorization-server',
  'GET /.well-known/openid-configuration',
  'GET /healthz',
  'GET /readyz',
  'GET /openapi.json',
  'GET /docs',
]

/** What each role may, of all that there is. */
const MAY: Readonly<Record<string, RegExp>> = {
  [ADMIN]: /^claimgate\./,
  [AUTHOR]: /^claimgate\.((workloadIdentities|guardrails)\.\w+|\w+\.(get|list))$/,
  [AUDITOR]: /^claimgate\.(workloadIdentities\.evaluate|\w+\.(get|list))$/,
  [AGENT]: /^$/,
}

for (const kind of ONE_DATABASE) {
  describe(`who may administer, on ${kind}`, () => {
    let world: World
    let calls: readonly DescribedCall[]

    before(async () => {
      world = await startWorld(kind)
      calls = await describedCalls(world)
    })
    after(() => world?.close())

    const rule = (...roles: readonly string[]) => ({ id: 'ci', group: 'acme', roles })
    const as = (token: string, method: string, path: string, body?: unknown): Promise<Answer> =>
      world.request(method, path, { body, headers: { authorization: `Bearer ${token}` } })
    async function signIn(email: string, more: Record<string, unknown> = {}): Promise<string> {
      const answer = await world.exchange(world.gitlab.signToken(gitlabClaims('18.4')), email, more)
      assert.equal(answer.status, 200, answer.text)
      return answer.json.accessToken
    }
    const holderOf = async (...roles: readonly string[]) =>
      signIn(await world.createIdentity([rule(...roles)]))
    const body = (...roles: readonly string[]) =>
      identityBody(world.gitlab.issuerUrl, { rules: [rule(...roles)] })
    let ids = 0
    const newId = () => `new-${++ids}`

    const send = (token: string | undefined, { method, path }: DescribedCall) =>
      world.request(method, path.replaceAll(/\{\w+\}/g, 'none'), {
        ...(method !== 'GET' && method !== 'DELETE' && { body: {} }),
        ...(token !== undefined && { headers: { authorization: `Bearer ${token}` } }),
      })

    test('every call but those that jobs, probes and readers make declares a permission', () => {
      const undeclared = calls.filter(({ permission }) => permission === '')

      assert.deepEqual(undeclared.map(({ method, path }) => `${method} ${path}`).sort(), OPEN.toSorted())
    })

    test('every call that declares one is refused without a token, and with one that is no good', async () => {
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const [, claims = ''] = (await holderOf(ADMIN)).split('.')
      const forged = signJws(
        { alg: 'ES256', typ: 'at+jwt' },
        JSON.parse(Buffer.from(claims, 'base64url').toString()),
        privateKey,
      )

      for (const call of calls.filter(({ permission }) => permission !== '')) {
        for (const token of [undefined, forged, 'none', world.gitlab.signToken(gitlabClaims('18.4'))]) {
          const { status } = await send(token, call)

          assert.equal(status, 401, `${call.method} ${call.path}`)
        }
      }
    })

    for (const [role, may] of Object.entries(MAY)) {
      test(`${role} may do what it is for, and nothing else`, async () => {
        const token = await holderOf(role)

        for (const call of calls.filter(({ permission }) => permission !== '')) {
          const answer = await send(token, call)

          if (may.test(call.permission)) {
            assert.ok(![401, 403].includes(answer.status), `${call.permission}: ${answer.text}`)
          } else {
            assertForbidden(answer, call)
          }
        }
      })
    }

    describe('a call that tells of what others have asks for both permissions:', () => {
      for (const [call, permission, alsoNeeds] of [
        [
          'POST /v1/workloadIdentities/{email}/draft:impact',
          'claimgate.workloadIdentities.update',
          'claimgate.decisions.list',
        ],
        ['POST /v1/guardrails/draft:impact', 'claimgate.guardrails.update', 'claimgate.decisions.list'],
        [
          'POST /v1/workspaces/default:planPolicies',
          'claimgate.workloadIdentities.evaluate',
          'claimgate.workloadIdentities.get',
        ],
      ] as const) {
        test(call, async () => {
          const described = calls.find(({ method, path }) => `${method} ${path}` === call)
          assert.ok(described)
          const holding = async (...permissions: readonly string[]) => {
            const roleId = newId()
            await world.admin('POST', `/v1/roles?roleId=${roleId}`, { permissions })
            return send(await holderOf(`roles/${roleId}`), described)
          }

          assert.deepEqual([described.permission, described.alsoNeeds], [permission, alsoNeeds])
          assertForbidden(await holding(permission), { ...described, permission: alsoNeeds })
          assertForbidden(await holding(alsoNeeds), described)
          assert.notEqual((await holding(permission, alsoNeeds)).status, 403)
        })
      }

      test('and no other does', () => {
        assert.equal(calls.filter(({ alsoNeeds }) => alsoNeeds !== '').length, 3)
      })
    })

    describe('a token that administers stops doing so at once where', () => {
      const LOSSES: readonly (readonly [string, (email: string) => Promise<unknown>])[] = [
        ['its identity is disabled', (email) => change(email, { state: 'DISABLED' })],
        ['its identity is deleted', (email) => world.admin('DELETE', `/v1/workloadIdentities/${email}`)],
        [
          'its identity is deleted and made again under the same email',
          async (email) => {
            await world.admin('DELETE', `/v1/workloadIdentities/${email}`)
            await world.createIdentity([rule(AUDITOR)], { id: email.slice(0, email.indexOf('@')) })
          },
        ],
        ['the rule that let it in is disabled', (email) => changeRule(email, { disabled: true })],
        ['the rule that let it in is another', (email) => changeRule(email, { id: 'other' })],
        ['the token is an hour old', async () => world.clock.advance(3_700_000)],
      ]
      const change = (email: string, patch: object) =>
        world.admin('PATCH', `/v1/workloadIdentities/${email}`, patch)
      const changeRule = (email: string, more: object) =>
        change(email, { workloadIdentityConfig: { rules: [{ ...rule(AUDITOR), ...more }] } })

      for (const [loss, lose] of LOSSES) {
        test(loss, async () => {
          const email = await world.createIdentity([rule(AUDITOR)])
          const token = await signIn(email)
          assert.equal((await as(token, 'GET', IDENTITIES)).status, 200)

          await lose(email)

          assert.ok([401, 403].includes((await as(token, 'GET', IDENTITIES)).status))
        })
      }

      test('its rule gives the role no more, though the token still says it', async () => {
        const email = await world.createIdentity([rule(AUDITOR)])
        const token = await signIn(email)

        await changeRule(email, { roles: [AGENT] })

        assertProblem(await as(token, 'GET', IDENTITIES), 403, 7, /claimgate\.workloadIdentities\.list/)
      })

      test('its issuer is disabled', async () => {
        const token = await holderOf(AUDITOR)
        const [issuer] = (await world.admin('GET', '/v1/issuers')).json.issuers
        await world.admin('PATCH', `/v1/${issuer.name}`, { state: 'DISABLED' })

        const answer = await as(token, 'GET', IDENTITIES)

        await world.admin('PATCH', `/v1/${issuer.name}`, { state: 'ACTIVE' })
        assert.equal(answer.status, 401)
      })
    })

    test('a role that a rule gives after the token was made is not the token’s', async () => {
      const email = await world.createIdentity([rule(AGENT)])
      const token = await signIn(email)

      await world.admin('PATCH', `/v1/workloadIdentities/${email}`, {
        workloadIdentityConfig: { rules: [rule(AGENT, ADMIN)] },
      })

      assert.equal((await as(token, 'GET', IDENTITIES)).status, 403)
    })

    test('a role of another rule than the token met is not the token’s', async () => {
      const other = { id: 'other', group: 'acme', project: 'other', roles: [ADMIN] }

      const token = await signIn(await world.createIdentity([rule(AGENT), other]))

      assert.equal((await as(token, 'GET', IDENTITIES)).status, 403)
    })

    test('a token for a service behind claimgate does not administer claimgate', async () => {
      const email = await world.createIdentity([rule(ADMIN)], {
        identity: { tokenAudiences: ['urn:service'] },
      })

      const token = await signIn(email, { audience: 'urn:service' })

      assert.equal((await as(token, 'GET', IDENTITIES)).status, 401)
    })

    test('an identity of a project has no permissions of the workspace, whatever its roles', async () => {
      await world.admin('POST', '/v1/projects?projectId=web', {})
      const created = await world.admin(
        'POST',
        '/v1/projects/web/workloadIdentities?workloadIdentityId=ci',
        body(ADMIN),
      )
      assert.equal(created.status, 200, created.text)

      const token = await signIn(created.json.email)

      assertProblem(await as(token, 'GET', IDENTITIES), 403, 7, /claimgate\.workloadIdentities\.list/)
    })

    describe('nobody gives what they do not hold', () => {
      const create = (token: string, ...roles: readonly string[]) =>
        as(token, 'POST', `${IDENTITIES}?workloadIdentityId=${newId()}`, body(...roles))

      for (const [holder, given, status] of [
        [AUTHOR, AGENT, 200],
        [AUTHOR, AUDITOR, 200],
        [AUTHOR, AUTHOR, 200],
        [AUTHOR, ADMIN, 403],
        [ADMIN, ADMIN, 200],
      ] as const) {
        test(`a holder of ${holder} makes an identity that gives ${given}: ${status}`, async () => {
          const answer = await create(await holderOf(holder), given)

          assert.equal(answer.status, status, answer.text)
          if (status === 403) assertProblem(answer, 403, 7, /roles\/workspaceAdmin gives permissions/)
        })
      }

      test('not by adding the role to an identity, one’s own or another, nor in a disabled rule', async () => {
        const own = await world.createIdentity([rule(AUTHOR)])
        const other = await world.createIdentity([rule(AGENT)])
        const token = await signIn(own)

        for (const email of [own, other]) {
          for (const more of [{}, { disabled: true }]) {
            const rules = [{ ...rule(AUTHOR, ADMIN), ...more }]
            const answer = await as(token, 'PATCH', `/v1/workloadIdentities/${email}`, {
              workloadIdentityConfig: { rules },
            })

            assertProblem(answer, 403, 7, /roles\/workspaceAdmin/)
          }
        }
      })

      test('not by changing, deleting or bringing back an identity that gives it already', async () => {
        const email = await world.createIdentity([rule(ADMIN)])
        const token = await holderOf(AUTHOR)
        const path = `/v1/workloadIdentities/${email}`

        const answers = [
          await as(token, 'PATCH', path, { title: 'Mine' }),
          await as(token, 'PATCH', path, {
            workloadIdentityConfig: { rules: [{ ...rule(ADMIN), group: 'evil' }] },
          }),
          await as(token, 'PATCH', path, { workloadIdentityConfig: { rules: [rule(AGENT)] } }),
          await as(token, 'DELETE', path),
        ]
        await world.admin('DELETE', path)
        answers.push(await as(token, 'POST', `${path}:undelete`))

        for (const answer of answers) assertProblem(answer, 403, 7, /roles\/workspaceAdmin/)
      })

      test('not by going back to a version, nor by a draft, whoever made it', async () => {
        const path = `/v1/workloadIdentities/${await world.createIdentity([rule(ADMIN)])}`
        const closed = { workloadIdentityConfig: { rules: [rule(AGENT)] } }
        const open = { workloadIdentityConfig: { rules: [rule(ADMIN)] } }
        const token = await holderOf(AUTHOR)
        const impactOf = async () => (await world.admin('POST', `${path}/draft:impact`)).json.id

        const ofAnother = await as(token, 'PUT', `${path}/draft`, closed)
        await world.admin('PATCH', path, closed)
        const back = await as(token, 'POST', `${path}/policyVersions/1:rollback`)
        const drafted = await as(token, 'PUT', `${path}/draft`, open)
        await world.admin('PUT', `${path}/draft`, open)
        const activated = await as(token, 'POST', `${path}/draft:activate`, { impact: await impactOf() })

        for (const answer of [ofAnother, back, drafted, activated]) {
          assertProblem(answer, 403, 7, /roles\/workspaceAdmin/)
        }
      })

      test('a version and the guardrails say who made them', async () => {
        const author = await world.createIdentity([rule(AUTHOR)])
        const token = await signIn(author)

        const { email } = (await create(token, AGENT)).json
        const [version] = (await as(token, 'GET', `/v1/workloadIdentities/${email}/policyVersions`)).json
          .policyVersions
        const saved = await as(token, 'PUT', '/v1/guardrails', { source: '' })
        const [guardrails] = (await as(token, 'GET', '/v1/guardrails/versions')).json.versions

        assert.equal(saved.status, 200, saved.text)
        assert.deepEqual(
          [version.author, guardrails.author],
          [`workloadIdentities/${author}`, `workloadIdentities/${author}`],
        )
      })

      test('not by giving an issuer keys of one’s own, whatever else may be changed of it', async () => {
        await world.admin('POST', '/v1/roles?roleId=issuerKeeper', {
          permissions: ['claimgate.issuers.get', 'claimgate.issuers.update'],
        })
        const token = await holderOf('roles/issuerKeeper')
        const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
        const { n, e } = privateKey.export({ format: 'jwk' })
        const mine = { keys: [{ kty: 'RSA', kid: 'mine', n, e }] }
        const [issuer] = (await world.admin('GET', '/v1/issuers')).json.issuers

        const refused = await as(token, 'PATCH', `/v1/${issuer.name}`, { jwks: mine })
        const renamed = await as(token, 'PATCH', `/v1/${issuer.name}`, { title: 'Ours', jwks: null })

        assertProblem(refused, 403, 7, /^jwks says whose tokens are good/)
        assert.equal(renamed.status, 200, renamed.text)
      })

      test('nor is a new issuer registered with an identity by who may not register issuers', async () => {
        const issuerUrl = 'https://evil.example.com'
        const token = await holderOf(AUTHOR)

        const answer = await as(
          token,
          'POST',
          `${IDENTITIES}?workloadIdentityId=${newId()}`,
          identityBody(issuerUrl),
        )

        assertProblem(answer, 403, 7, /claimgate\.issuers\.create/)
        const { issuers } = (await world.admin('GET', '/v1/issuers')).json
        assert.ok(!issuers.some((issuer: { issuerUrl: string }) => issuer.issuerUrl === issuerUrl))
      })
    })
  })
}
