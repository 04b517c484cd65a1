import assert from 'node:assert/strict'
import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { assertNoToken, assertProblem, assertSafeHeaders } from '../support/answers.ts'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { sendRaw } from '../support/raw-http.ts'
import { signJws } from '../support/token-issuer.ts'
import { ONE_DATABASE, startWorld, type World } from '../support/world.ts'

const RULE = { id: 'deploy', group: 'acme', roles: ['roles/gitopsServiceAgent', 'roles/auditor'] }
const ME = '/v1/users/me'

for (const kind of ONE_DATABASE) {
  describe(`who an access token stands for, on ${kind}`, () => {
    let world: World
    let email: string

    before(async () => {
      world = await startWorld(kind)
      email = await world.createIdentity([RULE], {
        id: 'deploy',
        identity: { title: 'GitLab Deploy', tokenAudiences: ['urn:x'] },
      })
    })
    after(() => world?.close())

    async function accessToken(of = email, more: Record<string, unknown> = {}): Promise<string> {
      const answer = await world.exchange(world.gitlab.signToken(gitlabClaims('18.4')), of, more)
      assert.equal(answer.status, 200, answer.text)
      return answer.json.accessToken
    }
    const me = (token: string) => world.request('GET', ME, { headers: { authorization: `Bearer ${token}` } })

    test('a good token is answered with its identity, its roles and no projects', async () => {
      const answer = await me(await accessToken())

      assert.equal(answer.status, 200, answer.text)
      assert.deepEqual(answer.json, {
        name: `users/${email}`,
        email,
        title: 'GitLab Deploy',
        state: 'ACTIVE',
        userType: 'WORKLOAD_IDENTITY',
        workspace: 'workspaces/default',
        roles: ['roles/auditor', 'roles/gitopsServiceAgent'],
        projects: [],
      })
      assertSafeHeaders(answer)
    })

    test('the scheme is read without regard to case, as RFC 9110 has it', async () => {
      const token = await accessToken()

      const answer = await world.request('GET', ME, { headers: { authorization: `bearer ${token}` } })

      assert.equal(answer.status, 200, answer.text)
    })

    test('without a token the answer asks for one', async () => {
      const answers = [
        await world.request('GET', ME),
        await world.request('GET', `${ME}?access_token=${await accessToken()}`),
        await sendRaw(world.app.url, `GET ${ME} HTTP/1.1`, [['Host', 'x']]),
      ]

      for (const answer of answers) assertProblem(answer, 401, 16, /access token is required/)
    })

    for (const header of ['Bearer null', 'Bearer ', 'Bearer', 'bearer null', 'Bearer   ']) {
      test(`'${header}' is told that the exchange before it was refused`, async () => {
        const answer = await world.request('GET', ME, { headers: { authorization: header } })

        assertProblem(answer, 401, 16, /exchange before it was refused.*[Pp]rint its answer/)
      })
    }

    test('what is no token of ours is refused', async () => {
      const token = await accessToken()
      const [header = '', payload = '', signature = ''] = token.split('.')
      const claims = JSON.parse(Buffer.from(payload, 'base64url').toString())
      const [jwk] = (await world.request('GET', '/.well-known/jwks.json')).json.keys
      const pem = createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' })
      const mine = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
      const own = { alg: 'ES256', typ: 'at+jwt', kid: jwk.kid }
      const attacks: Readonly<Record<string, string>> = {
        text: 'x',
        'undefined in JavaScript': 'undefined',
        'a job token': world.gitlab.signToken(gitlabClaims('18.4')),
        'the admin token': world.adminToken,
        'changed claims': [header, encode({ ...claims, roles: ['roles/workspaceAdmin'] }), signature].join(
          '.',
        ),
        'a later exp': [header, encode({ ...claims, exp: claims.exp + 9_999 }), signature].join('.'),
        'a changed header': [encode({ ...own, x: 1 }), payload, signature].join('.'),
        'a flipped signature': [
          header,
          payload,
          (signature.startsWith('A') ? 'B' : 'A') + signature.slice(1),
        ].join('.'),
        'an empty signature': [header, payload, ''].join('.'),
        'a signature of zeros': [header, payload, Buffer.alloc(64).toString('base64url')].join('.'),
        'alg none': [encode({ ...own, alg: 'none' }), payload, ''].join('.'),
        'HS256 with the public key in PEM': signJws({ ...own, alg: 'HS256' }, claims, String(pem)),
        'HS256 with the public key as JWK': signJws({ ...own, alg: 'HS256' }, claims, JSON.stringify(jwk)),
        'HS256 with x of the public key': signJws({ ...own, alg: 'HS256' }, claims, jwk.x),
        'the key of somebody else': signJws(own, claims, mine.privateKey),
        'a key that it brings itself': signJws(
          { ...own, kid: 'mine', jwk: mine.publicKey.export({ format: 'jwk' }) },
          claims,
          mine.privateKey,
        ),
        'two tokens': `${token} ${token}`,
        'a line break': `${token.slice(0, 20)}${token.slice(20)}.`,
      }
      for (const [name, attack] of Object.entries(attacks)) {
        const answer = await me(attack)

        assertProblem(answer, 401, 16, /invalid|expired|malformed/)
        assertNoToken(answer)
        assert.equal((await me(token)).status, 200, name)
      }
    })

    test('another scheme than Bearer is refused', async () => {
      const token = await accessToken()

      for (const header of [`Basic ${token}`, token, `Bearer${token}`, `DPoP ${token}`]) {
        const answer = await world.request('GET', ME, { headers: { authorization: header } })

        assert.equal(answer.status, 401, header)
      }
    })

    test('two Authorization headers are a 400', async () => {
      const token = await accessToken()
      const headers = ['Bearer x', `Bearer ${token}`].map((value) => ['Authorization', value] as const)

      const answer = await sendRaw(world.app.url, `GET ${ME} HTTP/1.1`, [['Host', 'x'], ...headers])

      assertProblem(answer, 400, 3, /authorization/i)
    })

    test('a token for another audience is refused', async () => {
      const answer = await me(await accessToken(email, { audience: 'urn:x' }))

      assertProblem(answer, 401, 16, /./)
    })

    test('a token ends when it expires, tolerance included, and not before', async () => {
      const short = await world.createIdentity([RULE], { identity: { tokenLifetimeSeconds: 60 } })
      const token = await accessToken(short)

      world.clock.advance(119_000)
      const before = await me(token)
      world.clock.advance(1_000)
      const after = await me(token)

      assert.equal(before.status, 200, before.text)
      assertProblem(after, 401, 16, /expired/)
    })

    test('a deleted identity is cut off at once, and its tokens stay dead when its email is given anew', async () => {
      const rule = { ...RULE, roles: ['roles/auditor'] }
      const first = await world.createIdentity([rule], { id: 'phoenix' })
      const old = await accessToken(first)
      assert.equal((await me(old)).status, 200)

      await world.admin('DELETE', `/v1/workloadIdentities/${first}`)
      const deleted = await me(old)
      const second = await world.createIdentity([rule], { id: 'phoenix' })
      const recreated = await me(old)
      const fresh = await me(await accessToken(second))

      assert.equal(second, first)
      assertProblem(deleted, 401, 16, /no longer active/)
      assertProblem(recreated, 401, 16, /no longer active/)
      assert.equal(fresh.status, 200, fresh.text)
    })

    test('a body, a query and other headers change nothing', async () => {
      const authorization = `Bearer ${await accessToken()}`

      const answer = await world.request('GET', `${ME}?email=root@x&projects=1`, {
        headers: { authorization, 'x-user': 'root', cookie: 'session=1' },
      })

      assert.equal(answer.json.email, email)
    })
  })
}
