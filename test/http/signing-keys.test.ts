import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  decodeJwt,
  decodeProtectedHeader,
  importJWK,
  type JWTVerifyGetKey,
  jwtVerify,
  SignJWT,
} from 'jose'
import type { App } from '../../src/app.ts'
import { createKeyEncryption } from '../../src/issuance/key-encryption.ts'
import { assertProblem } from '../support/answers.ts'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { DATABASES, runSql, startWorld, type World } from '../support/world.ts'

const ISSUER = 'https://claimgate.example.com'
const [SECOND, MINUTE] = [1_000, 60_000]
/** As docs/operate.md has them. */
const [AHEAD, AFTERWARDS, MAX_AGE] = [11 * MINUTE, 70 * MINUTE, 5 * MINUTE]

type KeySet = { readonly at: number; readonly find: JWTVerifyGetKey; readonly kids: readonly string[] }

for (const kind of DATABASES) {
  describe(`signing keys over HTTP, on ${kind}`, () => {
    let world: World
    let instances: readonly App[]
    let email: string

    before(async () => {
      world = await startWorld(kind)
      instances = kind === 'postgresql' ? [world.app, await world.startInstance()] : [world.app]
      email = await world.createIdentity([{ id: 'ci', group: 'acme', roles: ['roles/auditor'] }])
    })
    after(() => world?.close())

    const list = async (path = '/v1/signingKeys?pageSize=100') =>
      (await world.admin('GET', path)).json.signingKeys
    const inState = async (state: string) =>
      (await list()).find((key: { state: string }) => key.state === state)?.kid
    const rotate = (body: object = {}) => world.admin('POST', '/v1/signingKeys:rotate', body)
    async function fetchKeys(url: string): Promise<KeySet> {
      const { json, headers } = await world.request('GET', '/.well-known/jwks.json', { url })
      assert.equal(headers.get('cache-control'), 'public, max-age=300')
      return {
        at: world.clock(),
        find: createLocalJWKSet(json),
        kids: json.keys.map(({ kid }: { kid: string }) => kid),
      }
    }
    async function exchange(url: string): Promise<string> {
      const answer = await world.request('POST', '/v1/auth:exchangeToken', {
        url,
        body: { token: world.gitlab.signToken(gitlabClaims('18.4')), email },
      })
      assert.equal(answer.status, 200, answer.text)
      return answer.json.accessToken
    }
    const me = async (token: string, url: string) =>
      (await world.request('GET', '/v1/users/me', { url, headers: { authorization: `Bearer ${token}` } }))
        .status
    const introspect = async (token: string, url: string) =>
      (
        await world.request('POST', '/oauth2/introspect', {
          url,
          raw: `token=${token}`,
          headers: {
            authorization: `Bearer ${world.adminToken}`,
            'content-type': 'application/x-www-form-urlencoded',
          },
        })
      ).json.active
    const evaluate = async (token: string, url: string) =>
      (
        await world.request('POST', '/access/v1/evaluation', {
          url,
          body: {
            subject: { type: 'token', id: token },
            action: { name: 'claimgate.decisions.list' },
            resource: { type: 'workspace', id: 'default' },
          },
          headers: { authorization: `Bearer ${world.adminToken}` },
        })
      ).json.decision
    const kidOf = (token: string) => decodeProtectedHeader(token).kid
    const verify = (token: string, find: JWTVerifyGetKey) =>
      jwtVerify(token, find, {
        algorithms: ['ES256'],
        issuer: ISSUER,
        audience: ISSUER,
        typ: 'at+jwt',
        currentDate: new Date(world.clock()),
      })
    /** A rotation that is over, so that the next can begin. */
    async function settle(): Promise<void> {
      world.clock.advance(AHEAD + AFTERWARDS)
      await list()
      world.clock.advance(AFTERWARDS)
      await list()
    }

    test('over a whole rotation every token verifies, with every key set that may still be kept', async () => {
      const sets: KeySet[] = []
      const tokens: string[] = []
      const look = async () => {
        for (const { url } of instances) sets.push(await fetchKeys(url))
      }
      const trade = async () => {
        for (const { url } of instances) tokens.push(await exchange(url))
      }
      await look()
      world.clock.advance(SECOND)
      const { json: next } = await rotate()
      const begin = world.clock()

      for (; world.clock() < begin + AHEAD + 2 * MAX_AGE; world.clock.advance(20 * SECOND)) {
        await trade()
        const kept = sets.filter(({ at }) => at > world.clock() - 2 * MAX_AGE)
        for (const token of tokens.slice(-instances.length)) {
          for (const { find } of kept) await verify(token, find)
          for (const { url } of instances) assert.equal(await me(token, url), 200)
        }
        await look()
      }

      assert.equal(kidOf(tokens.at(-1) ?? ''), next.kid)
      const kids = [...new Set(tokens.map(kidOf))]
      assert.deepEqual([kids.length, kids.at(-1)], [2, next.kid])
      const firstOfNext = tokens.findIndex((token) => kidOf(token) === next.kid)
      assert.ok(
        tokens.slice(firstOfNext).every((token) => kidOf(token) === next.kid),
        'none by the old one after that',
      )
      // To the end of their lives.
      const last = world.clock()
      for (; world.clock() < last + 60 * MINUTE; world.clock.advance(10 * MINUTE)) {
        const { find } = await fetchKeys(instances[0]?.url ?? '')
        for (const token of tokens.slice(-instances.length)) await verify(token, find)
      }
      await settle()
      for (const { url } of instances) assert.deepEqual((await fetchKeys(url)).kids, [next.kid])
      assert.equal(await me(tokens[0] ?? '', instances[0]?.url ?? ''), 401)
    })

    test('a verifier that keeps the keys, and does not ask again before it should, verifies on', async () => {
      const url = instances.at(-1)?.url ?? ''
      let fetches = 0
      await rotate()
      const find = createRemoteJWKSet(new URL(`${url}/.well-known/jwks.json`), {
        cacheMaxAge: MAX_AGE,
        cooldownDuration: MAX_AGE,
        [customFetch]: (input, init) => {
          fetches++
          return fetch(input, init as RequestInit)
        },
      })
      const before = await exchange(url)
      await verify(before, find)
      world.clock.advance(AHEAD)
      await list()

      const later = await exchange(url)

      await verify(later, find)
      await verify(before, find)
      assert.notEqual(kidOf(later), kidOf(before))
      assert.equal(fetches, 1)
      await settle()
    })

    test('a rotation is answered with the key that waits, and asking again changes nothing', async () => {
      const active = await inState('ACTIVE')

      const answer = await rotate()
      const again = await rotate({ immediately: false })

      assert.equal(answer.status, 200, answer.text)
      assert.deepEqual(again.json, answer.json)
      const { name, kid, state, createTime, activateTime, retireTime, dropTime } = answer.json
      assert.equal(name, `signingKeys/${kid}`)
      assert.equal(state, 'PENDING')
      assert.equal(Date.parse(activateTime) - Date.parse(createTime), AHEAD)
      assert.deepEqual([retireTime, dropTime], [null, null])
      assert.deepEqual(Object.keys(answer.json.publicJwk).sort(), [
        'alg',
        'crv',
        'kid',
        'kty',
        'use',
        'x',
        'y',
      ])
      assert.equal(await inState('ACTIVE'), active)
      assert.equal(await inState('PENDING'), kid)
      await settle()
    })

    test('the list shows every key there was, page by page, and nothing that is private', async () => {
      const { signingKeys, nextPageToken } = (await world.admin('GET', '/v1/signingKeys?pageSize=1')).json
      const next = await world.admin('GET', `/v1/signingKeys?pageSize=1&pageToken=${nextPageToken}`)

      const all = await list()
      assert.deepEqual([...signingKeys, ...next.json.signingKeys], all.slice(0, 2))
      assert.deepEqual(
        all.map(({ state }: { state: string }) => state),
        ['ACTIVE', ...all.slice(1).map(() => 'DROPPED')],
      )
      assert.doesNotMatch(JSON.stringify(all), /"d"|encrypted|sealed|private/i)
    })

    for (const [what, send, status, names] of [
      ['no body', () => raw(undefined), 415, /Content-Type/],
      ['an empty body', () => raw(''), 400, /not JSON/],
      ['a text', () => rotate({ immediately: 'yes' }), 400, /immediately/],
      ['null', () => rotate({ immediately: null }), 400, /immediately/],
      ['another field', () => rotate({ immediatly: true }), 400, /immediatly .*immediately/],
      [
        'a parameter',
        () => world.admin('POST', '/v1/signingKeys:rotate?immediately=true', {}),
        400,
        /immediately/,
      ],
      ['If-Match', () => raw('{}', { 'if-match': '"1"' }), 400, /If-Match/],
    ] as const) {
      test(`a rotation with ${what} is refused, and changes nothing`, async () => {
        const before = await list()

        const answer = await send()

        assertProblem(answer, status, 3, names)
        assert.deepEqual(await list(), before)
      })
    }
    const raw = (text: string | undefined, more: Record<string, string> = {}) =>
      world.request('POST', '/v1/signingKeys:rotate', {
        ...(text !== undefined && { raw: text }),
        headers: { authorization: `Bearer ${world.adminToken}`, ...more },
      })

    test('in an emergency the keys before are gone at once everywhere, and so are their tokens', async () => {
      await rotate()
      const tokens = await Promise.all(instances.map(({ url }) => exchange(url)))
      const old = kidOf(tokens[0] ?? '')
      for (const { url } of instances) {
        for (const token of tokens) {
          assert.deepEqual([await introspect(token, url), await evaluate(token, url)], [true, true])
        }
      }

      const { status, json } = await rotate({ immediately: true })

      assert.equal(status, 200)
      assert.equal(json.state, 'ACTIVE')
      // First those that nobody told.
      for (const { url } of instances.toReversed()) {
        for (const token of tokens) {
          assert.equal(await evaluate(token, url), false)
          assert.equal(await introspect(token, url), false)
          assert.equal(await me(token, url), 401)
          const headers = { authorization: `Bearer ${token}` }
          assert.equal((await world.request('GET', '/v1/decisions', { url, headers })).status, 401)
        }
        const next = await exchange(url)
        assert.equal(kidOf(next), json.kid)
        for (const other of instances) assert.equal(await me(next, other.url), 200)
        assert.deepEqual((await fetchKeys(url)).kids, [json.kid])
      }
      const revoked = (await list()).filter(({ state }: { state: string }) => state === 'REVOKED')
      assert.deepEqual(
        revoked.map(({ kid, activateTime }: { kid: string; activateTime: string | null }) => [
          kid === old,
          activateTime !== null,
        ]),
        [
          [false, false],
          [true, true],
        ],
      )
    })

    test('an emergency amid exchanges: none that begins after it gets a token of the old key', async () => {
      const old = await inState('ACTIVE')
      const during: Promise<string>[] = []
      const flood = () => {
        for (const { url } of instances) for (let at = 0; at < 20; at++) during.push(exchange(url))
        // Looked at below; one that is refused before that must not end the test.
        for (const asked of during) asked.catch(() => undefined)
      }
      flood()
      const rotating = rotate({ immediately: true })
      flood()

      const { json } = await rotating
      const afterwards = await Promise.all(
        instances.flatMap(({ url }) => Array.from({ length: 20 }, () => exchange(url))),
      )

      const settled = await Promise.allSettled(during)
      for (const each of settled) {
        if (each.status === 'fulfilled') assert.ok([old, json.kid].includes(kidOf(each.value)))
        else assert.match(String(each.reason), /signing key was just taken away; retry the job/)
      }
      assert.deepEqual([...new Set(afterwards.map(kidOf))], [json.kid])
      for (const token of afterwards) {
        for (const { url } of instances) assert.equal(await me(token, url), 200)
      }
    })
  })
}

const hasServer = DATABASES.some((kind) => kind === 'postgresql')

describe('several encryption keys', { skip: hasServer ? false : 'there is no PostgreSQL server' }, () => {
  const newKey = () => randomBytes(32).toString('base64')
  const [old, next] = [newKey(), newKey()]

  test('take turns without an interruption, page tokens included', async (t) => {
    const world = await startWorld('postgresql', { KEY_ENCRYPTION_KEY: old })
    t.after(() => world.close())
    for (const id of ['a', 'b', 'c']) await world.admin('POST', `/v1/projects?projectId=${id}`, {})
    const first = await world.startInstance({ KEY_ENCRYPTION_KEY: `${old},${next}` })
    const second = await world.startInstance({ KEY_ENCRYPTION_KEY: `${next},${old}` })
    const page = async (url: string, token = '') => {
      const headers = { authorization: `Bearer ${world.adminToken}` }
      const answer = await world.request('GET', `/v1/projects?pageSize=1&pageToken=${token}`, {
        url,
        headers,
      })
      assert.equal(answer.status, 200, answer.text)
      return answer.json
    }

    for (const [one, other] of [
      [world.app.url, second.url],
      [first.url, second.url],
      [second.url, first.url],
    ] as const) {
      const { nextPageToken } = await page(one)
      assert.equal((await page(other, nextPageToken)).projects[0].name, 'projects/b')
    }
    const last = await world.startInstance({ KEY_ENCRYPTION_KEY: next })
    const { nextPageToken } = await page(second.url)
    assert.equal((await page(last.url, nextPageToken)).projects[0].name, 'projects/b')
    assert.equal((await world.request('GET', '/readyz', { url: last.url })).status, 200)
  })

  test('a key that an instance cannot open makes it unready, and takes no job’s token', async (t) => {
    const world = await startWorld('postgresql', { KEY_ENCRYPTION_KEY: old })
    t.after(() => world.close())
    const email = await world.createIdentity([{ group: 'acme' }])
    const other = await world.startInstance({ KEY_ENCRYPTION_KEY: `${next},${old}` })
    const token = world.gitlab.signToken(gitlabClaims('18.4'))
    const headers = { authorization: `Bearer ${world.adminToken}` }
    const rotated = await world.request('POST', '/v1/signingKeys:rotate', {
      url: other.url,
      headers,
      body: { immediately: true },
    })
    assert.equal(rotated.status, 200)

    const refused = await world.exchange(token, email)
    const ready = await world.request('GET', '/readyz')
    const served = await world.request('POST', '/v1/auth:exchangeToken', {
      url: other.url,
      body: { token, email },
    })

    assertProblem(refused, 503, 14, /No signing key can be used here/)
    assert.equal(ready.status, 503)
    assert.equal(ready.json.details[0].checks.signingKey, 'No signing key can be used here.')
    assert.equal(served.status, 200, 'the token was not used up')
  })

  test('a key that was stolen and taken away makes no token of anybody’s decision, at no instance', async (t) => {
    const world = await startWorld('postgresql', { KEY_ENCRYPTION_KEY: old })
    t.after(() => world.close())
    const unaware = await world.startInstance()
    const email = await world.createIdentity([{ group: 'acme' }])
    const [row] = await runSql(world.databaseUrl ?? '', 'select * from signing_keys')
    const encryption = createKeyEncryption([Buffer.from(old, 'base64')])
    const stolen = JSON.parse(await encryption.open(row?.encrypted_private_key, row?.kid))
    await world.admin('POST', '/v1/signingKeys:rotate', { immediately: true })
    const { json } = await world.exchange(world.gitlab.signToken(gitlabClaims('18.4')), email)

    const forged = await new SignJWT(decodeJwt(json.accessToken))
      .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: row?.kid })
      .sign(await importJWK(stolen, 'ES256'))

    for (const url of [unaware.url, world.app.url]) {
      const headers = { authorization: `Bearer ${forged}` }
      assert.equal((await world.request('GET', '/v1/users/me', { url, headers })).status, 401)
    }
  })

  test('a backup from before a rotation serves, and what the rotation made is gone', async (t) => {
    const world = await startWorld('postgresql')
    t.after(() => world.close())
    const email = await world.createIdentity([{ group: 'acme' }])
    const url = world.databaseUrl ?? ''
    const [first] = (await world.admin('GET', '/v1/signingKeys')).json.signingKeys
    const { json: pending } = await world.admin('POST', '/v1/signingKeys:rotate', {})
    await runSql(url, 'create table backup as table signing_keys')
    await world.admin('POST', '/v1/signingKeys:rotate', { immediately: true })
    const lost = await world.exchange(world.gitlab.signToken(gitlabClaims('18.4')), email)
    world.clock.advance(60 * MINUTE)

    await runSql(url, 'delete from signing_keys')
    await runSql(url, 'insert into signing_keys table backup')
    const restored = await world.startInstance()

    const me = await world.request('GET', '/v1/users/me', {
      url: restored.url,
      headers: { authorization: `Bearer ${lost.json.accessToken}` },
    })
    assert.equal(me.status, 401)
    const served = await world.request('POST', '/v1/auth:exchangeToken', {
      url: restored.url,
      body: { token: world.gitlab.signToken(gitlabClaims('18.4')), email },
    })
    assert.equal(decodeProtectedHeader(served.json.accessToken).kid, pending.kid)
    const { json } = await world.request('GET', '/.well-known/jwks.json', { url: restored.url })
    assert.deepEqual(
      json.keys.map(({ kid }: { kid: string }) => kid).toSorted(),
      [first.kid, pending.kid].toSorted(),
    )
  })
})
