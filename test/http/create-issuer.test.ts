import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { assertProblem } from '../support/answers.ts'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { ONE_DATABASE, startWorld, type World } from '../support/world.ts'

const RULE = { group: 'acme', project: 'app', refs: [{ type: 'BRANCH', pattern: 'main' }] }

for (const kind of ONE_DATABASE) {
  describe(`registering issuers on ${kind}`, () => {
    let world: World

    before(async () => {
      world = await startWorld(kind)
    })
    after(() => world?.close())

    test('an issuer is registered without being reached, with defaults written out', async () => {
      const created = await world.admin('POST', '/v1/issuers?issuerId=self-hosted', {
        issuerUrl: 'https://gitlab.self-hosted.example',
        providerType: 'GITLAB',
      })
      const read = await world.admin('GET', '/v1/issuers/self-hosted')

      assert.equal(created.status, 200, created.text)
      const { etag, createTime, updateTime, ...rest } = created.json
      assert.deepEqual(rest, {
        name: 'issuers/self-hosted',
        issuerUrl: 'https://gitlab.self-hosted.example',
        title: 'https://gitlab.self-hosted.example',
        providerType: 'GITLAB',
        state: 'ACTIVE',
        algorithms: ['RS256'],
        keys: { fetchTime: null, keyIds: [], lastError: null },
      })
      assert.ok(createTime === updateTime)
      assert.equal(created.headers.get('etag'), `"${etag}"`)
      assert.deepEqual(read.json, created.json)
    })

    test('an issuer tells which keys it has, and why it has none', async () => {
      await world.createIdentity([RULE])
      const id = `i-127-0-0-1-${new URL(world.gitlab.issuerUrl).port}`
      const email = await world.createIdentity([RULE])
      await world.exchange(world.gitlab.signToken(gitlabClaims('18.4')), email)
      const reached = (await world.admin('GET', `/v1/issuers/${id}`)).json.keys

      world.gitlab.behave({ jwks: { status: 500, body: 'secret of the inside network' } })
      world.clock.advance(3_600_000 * 2)
      await world.exchange(world.gitlab.signToken(gitlabClaims('18.4')), email)
      const lost = (await world.admin('GET', `/v1/issuers/${id}`)).json.keys
      world.gitlab.behave()
      world.clock.advance(60_000)
      await world.exchange(world.gitlab.signToken(gitlabClaims('18.4')), email)
      const back = (await world.admin('GET', `/v1/issuers/${id}`)).json.keys

      assert.deepEqual(reached.keyIds, [world.gitlab.key.kid])
      assert.equal(reached.lastError, null)
      assert.match(lost.lastError, /not 200/)
      assert.doesNotMatch(JSON.stringify(lost), /secret/)
      assert.equal(back.lastError, null)
      assert.equal(back.fetchTime, new Date(world.clock()).toISOString())
    })

    test('an issuer that cannot be trusted is refused, and says why', async () => {
      const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
      const jwk = (key: typeof publicKey, more = {}) => ({
        ...key.export({ format: 'jwk' }),
        kid: 'k',
        ...more,
      })
      const keys = (...list: object[]) => ({ jwks: { keys: list } })
      const cases: readonly (readonly [body: Record<string, unknown>, names: RegExp])[] = [
        [{ issuerUrl: 'http://gitlab.example' }, /issuerUrl/],
        [{ issuerUrl: 'https://127.0.0.1' }, /issuerUrl/],
        [{ issuerUrl: 'https://127.1' }, /issuerUrl/],
        [{ issuerUrl: 'https://0x7f000001' }, /issuerUrl/],
        [{ issuerUrl: 'https://①②⑦.⓪.⓪.①' }, /issuerUrl/],
        [{ issuerUrl: 'https://[::1]' }, /issuerUrl/],
        [{ issuerUrl: 'https://user@gitlab.example' }, /issuerUrl/],
        [{ issuerUrl: 'https://gitlab.example?x' }, /issuerUrl/],
        [{ issuerUrl: 'https://gitlab.example#' }, /issuerUrl/],
        [{ issuerUrl: `https://gitlab.example/${'a'.repeat(255)}` }, /issuerUrl/],
        [{ issuerUrl: 'https://claimgate.example.com' }, /issuerUrl.*own/],
        [{ issuerUrl: 'https://claimgate.example.com:443/' }, /issuerUrl/],
        [{ issuerUrl: 'ftp://gitlab.example' }, /issuerUrl/],
        [{ issuerUrl: '' }, /issuerUrl/],
        [{ issuerUrl: 1 }, /issuerUrl/],
        [{ issuerUrl: undefined }, /issuerUrl/],
        [{ providerType: undefined }, /providerType/],
        [{ algorithms: ['none'] }, /algorithms/],
        [{ algorithms: ['HS256'] }, /algorithms\[0\] .*, not 'HS256'\.$/],
        [{ algorithms: ['rs256'] }, /the nearest is 'RS256'/],
        [{ algorithms: [] }, /algorithms/],
        [{ algorithms: 'RS256' }, /algorithms/],
        [{ title: 'a\\b' }, /title/],
        [{ title: 'a\nb' }, /title/],
        [{ state: 'DISABLED' }, /state/],
        [{ issuer: 'x' }, /issuer/],
        [keys(), /jwks/],
        [keys(jwk(privateKey)), /jwks/],
        [keys({ kty: 'oct', k: 'AAAA', kid: 'k' }), /jwks/],
        [{ jwks: [] }, /jwks/],
        [{ jwks: { keys: [] } }, /jwks has no keys\./],
        [{ jwks: { keys: [jwk(publicKey, { kid: undefined })] } }, /jwks has no key with a kid of 1 to 255/],
        [{ jwks: { keys: 'x' } }, /jwks/],
      ]
      for (const [change, names] of cases) {
        const answer = await world.admin('POST', '/v1/issuers?issuerId=untrusted', {
          issuerUrl: 'https://untrusted.example',
          providerType: 'GITLAB',
          ...change,
        })

        assertProblem(answer, 400, 3, names)
        assert.doesNotMatch(answer.text, /"d"|\bPRIVATE\b/)
      }
      assertProblem(await world.admin('GET', '/v1/issuers/untrusted'), 404, 5, /./)
    })

    test('static keys that will never verify a token are told of', async () => {
      const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
      const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey
      const jwk = (kid: string, key: typeof publicKey, more = {}) => ({
        ...key.export({ format: 'jwk' }),
        kid,
        ...more,
      })
      const keys = [
        jwk('good', publicKey),
        jwk('small', small),
        jwk('for-encryption', publicKey, { use: 'enc' }),
        jwk('twice', publicKey),
        jwk('twice', publicKey),
      ]

      const created = await world.admin('POST', '/v1/issuers?issuerId=partly', {
        issuerUrl: 'https://partly.example',
        providerType: 'GITLAB',
        jwks: { keys },
      })
      const read = await world.admin('GET', '/v1/issuers/partly')

      assert.equal(created.status, 200, created.text)
      const notices = created.json.notices.join(' ')
      for (const told of [/small .*1024 bits/, /for-encryption/, /twice/]) assert.match(notices, told)
      assert.doesNotMatch(notices, /\bgood\b/)
      assert.deepEqual(read.json.keys.keyIds, ['good'])
    })

    test("an issuer's id and URL are each taken once", async () => {
      const register = (id: string, issuerUrl: string) =>
        world.admin('POST', `/v1/issuers?issuerId=${id}`, { issuerUrl, providerType: 'GITLAB' })
      assert.equal((await register('one', 'https://one.example')).status, 200)

      assertProblem(await register('one', 'https://two.example'), 409, 6, /./)
      assertProblem(await register('two', 'https://one.example'), 409, 6, /./)
      assert.equal(
        (await register('two', 'https://one.example/')).status,
        200,
        'exact comparison, no slash folding',
      )
      for (const id of ['', 'One', '1', 'a-', 'a'.repeat(64), 'a/b']) {
        assertProblem(await register(id, 'https://three.example'), 400, 3, /issuerId/)
      }
    })
  })
}
