import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { assertEchoable, assertNoToken, assertProblem, assertSafeHeaders } from '../support/answers.ts'
import { gitlabClaims } from '../support/gitlab-claims.ts'
import { sendRaw } from '../support/raw-http.ts'
import { DATABASES, IDENTITY_DOMAIN, startWorld, type World } from '../support/world.ts'

const PATH = '/v1/auth:exchangeToken'
const EMAIL = `deploy@${IDENTITY_DOMAIN}`

describe('a request that is no exchange', () => {
  let world: World

  before(async () => {
    world = await startWorld(DATABASES[0])
    await world.createIdentity([{ group: 'acme' }], { id: 'deploy' })
  })
  after(() => world?.close())

  const jobToken = () => world.gitlab.signToken(gitlabClaims('18.4'))
  const newestDecision = async () =>
    (await world.admin('GET', '/v1/decisions?pageSize=1')).json.decisions[0]?.name

  /** A refusal that is no decision: it leaves no row, and the next exchange is served as ever. */
  async function assertNoDecision(send: () => Promise<{ status: number; headers: Headers; text: string }>) {
    const newest = await newestDecision()
    const answer = await send()
    assertNoToken(answer)
    assertEchoable(answer)
    assert.equal(await newestDecision(), newest)
    assert.equal((await world.exchange(jobToken(), EMAIL)).status, 200)
    return answer
  }

  const t = 'not-looked-at'
  const BODIES: readonly (readonly [name: string, body: unknown, message: RegExp | string])[] = [
    ['an empty object', {}, 'token is required'],
    ['no token', { email: EMAIL }, 'token is required'],
    ['an empty token', { token: '', email: EMAIL }, 'token is required'],
    ['no email', { token: t }, 'email is required'],
    ['an empty email', { token: t, email: '' }, 'email is required'],
    ['a token that is null', { token: null, email: EMAIL }, /\btoken\b/],
    ['a token that is a number', { token: 1, email: EMAIL }, /\btoken\b/],
    ['a token that is a list', { token: [t], email: EMAIL }, /\btoken\b/],
    ['a token that is an object', { token: { t }, email: EMAIL }, /\btoken\b/],
    ['an email that is null', { token: t, email: null }, /\bemail\b/],
    ['an email that is a list', { token: t, email: [EMAIL, EMAIL] }, /\bemail\b/],
    ['an email that is true', { token: t, email: true }, /\bemail\b/],
    ['an audience that is a number', { token: t, email: EMAIL, audience: 1 }, /\baudience\b/],
    ['an audience that is a list', { token: t, email: EMAIL, audience: ['a'] }, /\baudience\b/],
    ['an audience that is null', { token: t, email: EMAIL, audience: null }, /\baudience\b/],
    ['an empty audience', { token: t, email: EMAIL, audience: '' }, /\baudience\b/],
    ['an unknown field', { token: t, email: EMAIL, audiense: 'x' }, /audiense/],
    ['a field in another case', { Token: t, token: t, email: EMAIL }, /Token/],
    ['a field of a later version', { token: t, email: EMAIL, scope: 'all' }, /scope/],
    ['a hostile field name', { token: t, email: EMAIL, 'a\\b"c\n*': 1 }, /is not a field/],
    ...[
      'deploy',
      '@',
      'deploy@',
      `@${IDENTITY_DOMAIN}`,
      'a@b@c',
      'a b@c',
      `deploy@${IDENTITY_DOMAIN}\n`,
      'ä@b.c',
      'a@-b.c',
    ].map(
      (email) =>
        [`the malformed email ${JSON.stringify(email)}`, { token: t, email }, /email is malformed/] as const,
    ),
    ['an email that is too long', { token: t, email: `${'a'.repeat(300)}@b.c` }, /email is malformed/],
  ]
  for (const [name, body, message] of BODIES) {
    test(`${name} is a 400 that names the field, and no decision`, async () => {
      const answer = await assertNoDecision(() => world.request('POST', PATH, { body }))

      assertProblem(answer, 400, 3, message)
    })
  }

  const good = JSON.stringify({ token: t, email: EMAIL })
  const TEXTS: readonly (readonly [name: string, raw: string | Uint8Array])[] = [
    ['an empty body', ''],
    ['a list', `[${good}]`],
    ['a string', '"token"'],
    ['null', 'null'],
    ['a number', '1'],
    ['half a body', good.slice(0, -3)],
    ['two bodies', good + good],
    ['a byte order mark', `\u{FEFF}${good}`],
    ['no UTF-8', Buffer.from(good.replace('deploy', 'd\u00e9ploy'), 'latin1')],
    ['UTF-16', Buffer.from(good, 'utf16le')],
    ['a member twice', good.replace('}', ',"token":"other"}')],
    ['a member twice by an escape', good.replace('}', ',"tok\\u0065n":"other"}')],
    ['a null character', JSON.stringify({ token: 'a\0b', email: EMAIL })],
    ['half a surrogate pair', good.replace(t, '\\ud800')],
    ['deep nesting', `{"token":${'['.repeat(500)}${']'.repeat(500)}}`],
    ['the member __proto__', good.replace('}', ',"__proto__":{"email":"x"}}')],
  ]
  for (const [name, raw] of TEXTS) {
    test(`a body with ${name} is a 400, and no decision`, async () => {
      const answer = await assertNoDecision(() => world.request('POST', PATH, { raw }))

      assertProblem(answer, 400, 3, /./)
    })
  }

  test('a body over 32 KiB is a 413, and one of exactly 32 KiB is read', async () => {
    const padded = (size: number) => good.replace(t, 'x'.repeat(size - good.length + t.length))

    const over = await assertNoDecision(() => world.request('POST', PATH, { raw: padded(32 * 1024 + 1) }))
    const exact = await world.request('POST', PATH, { raw: padded(32 * 1024) })

    assertProblem(over, 413, 3, /32 KiB/)
    assertProblem(exact, 401, 16, /longer than 16 KiB/)
  })

  const TYPES: readonly (readonly [name: string, headers: Record<string, string>, raw?: Uint8Array])[] = [
    ['text/plain', { 'content-type': 'text/plain' }],
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['JSON of another kind', { 'content-type': 'application/json-patch+json' }],
    ['nearly JSON', { 'content-type': 'application/jsonx' }],
    ['UTF-16', { 'content-type': 'application/json; charset=utf-16' }, Buffer.from(good, 'utf16le')],
    ['ISO 8859-1', { 'content-type': 'application/json; charset=iso-8859-1' }],
    ['two charsets', { 'content-type': 'application/json; charset=utf-8; charset=utf-16' }],
    ['gzip', { 'content-encoding': 'gzip' }, gzipSync(good)],
    ['an unknown encoding', { 'content-encoding': 'x' }],
  ]
  for (const [name, headers, raw] of TYPES) {
    test(`a body sent as ${name} is a 415, and no decision`, async () => {
      const answer = await assertNoDecision(() => world.request('POST', PATH, { raw: raw ?? good, headers }))

      assertProblem(answer, 415, 3, /Content-(Type|Encoding)/)
    })
  }

  test('a body without a content type is a 415, and no decision', async () => {
    const answer = await assertNoDecision(() =>
      sendRaw(world.app.url, `POST ${PATH} HTTP/1.1`, [['Host', 'x']], good),
    )

    assertProblem(answer, 415, 3, /Content-Type/)
  })

  for (const type of [
    'application/json; charset=UTF-8',
    'Application/JSON',
    'application/json;charset="utf-8"',
  ]) {
    test(`a body sent as ${type} is read`, async () => {
      const raw = JSON.stringify({ token: jobToken(), email: EMAIL })

      const answer = await world.request('POST', PATH, { raw, headers: { 'content-type': type } })

      assert.equal(answer.status, 200, answer.text)
    })
  }

  for (const header of ['Authorization', 'Host', 'Content-Type']) {
    test(`the header ${header} given twice is a 400, and no decision`, async () => {
      const headers = [
        ['Host', 'claimgate'],
        ['Content-Type', 'application/json'],
        ['Authorization', 'Bearer x'],
      ] as const
      const twice = [...headers, ...headers.filter(([name]) => name === header)]
      const body = JSON.stringify({ token: jobToken(), email: EMAIL })

      const answer = await assertNoDecision(() =>
        sendRaw(world.app.url, `POST ${PATH} HTTP/1.1`, twice, body),
      )

      assert.equal(answer.status, 400, answer.text)
      assert.equal(JSON.parse(answer.text).code, 3)
      assertSafeHeaders(answer)
    })
  }

  test('a token in the query string is not looked at', async () => {
    const query = `token=${jobToken()}&email=${encodeURIComponent(EMAIL)}&access_token=x`

    const alone = await assertNoDecision(() => world.request('POST', `${PATH}?${query}`, { body: {} }))
    const beside = await world.request('POST', `${PATH}?token=other&email=x`, {
      body: { token: jobToken(), email: EMAIL },
    })

    assertProblem(alone, 400, 3, 'token is required')
    assert.equal(beside.status, 200, beside.text)
  })

  test('a forwarded address that is none is not recorded', async () => {
    for (const [forwarded, recorded] of [
      ['203.0.113.9', '203.0.113.9'],
      ['2001:db8::9', '2001:db8::9'],
      ['198.51.100.1, 203.0.113.9', '203.0.113.9'],
      ['unknown', '127.0.0.1'],
      [jobToken(), '127.0.0.1'],
      [`'); drop table decisions; --`, '127.0.0.1'],
    ] as const) {
      const answer = await world.request('POST', PATH, {
        body: { token: jobToken(), email: EMAIL },
        ip: forwarded,
      })

      const decision = await world.admin('GET', `/v1/decisions/${answer.json.decisionId}`)
      assert.equal(decision.json.callerIp, recorded)
    }
  })

  test("a caller's own request id is repeated where it is harmless, else replaced", async () => {
    const ids = ['job-302', 'a'.repeat(128), 'a'.repeat(129), 'a b', 'a"b', '{jndi:x}']

    for (const [index, id] of ids.entries()) {
      const answer = await world.request('POST', PATH, { body: {}, headers: { 'x-request-id': id } })

      assertSafeHeaders(answer)
      assert.equal(answer.headers.get('x-request-id') === id, index < 2, id)
    }
  })
})

describe('a path that is not the exchange', () => {
  let world: World

  before(async () => {
    world = await startWorld(DATABASES[0])
  })
  after(() => world?.close())

  const PATHS = [
    '/v1/authANYTHING',
    '/v1/authexchangeToken',
    '/v1/auth',
    '/v1/auth:',
    '/v1/auth:exchangeTokens',
    '/v1/auth:exchangetoken',
    '/v1/Auth:exchangeToken',
    '/V1/auth:exchangeToken',
    '/v1/auth:exchangeToken/',
    '//v1/auth:exchangeToken',
    '/v1//auth:exchangeToken',
    '/v1/auth%3AexchangeToken',
    '/v2/auth:exchangeToken',
    '/',
    '/v1/USERS/me',
    '/v1/users/me/',
    '/v1/users/you',
  ]
  for (const path of PATHS) {
    test(`${path} is a 404`, async () => {
      for (const method of ['POST', 'GET']) {
        const answer = await world.request(
          method,
          path,
          method === 'POST' ? { body: { token: 't', email: EMAIL } } : {},
        )

        assertProblem(answer, 404, 5, /./)
      }
    })
  }

  test('a path that cannot be decoded is a 400', async () => {
    const answer = await world.request('GET', '/v1/decisions/%E0%A4%A')

    assertProblem(answer, 400, 3, /path/)
  })

  for (const method of ['GET', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD', 'TRACE', 'PROPFIND', 'QUERY']) {
    test(`${method} on the exchange is a 405 that allows POST`, async () => {
      const answer = await sendRaw(world.app.url, `${method} ${PATH} HTTP/1.1`, [['Host', 'x']])

      assert.equal(answer.status, 405)
      assert.equal(answer.headers.get('allow'), 'POST')
      assert.equal(answer.headers.get('x-content-type-options'), 'nosniff')
      assert.equal(answer.headers.get('cache-control'), 'no-store')
      assert.ok(answer.headers.get('x-request-id'))
      if (method === 'HEAD') assert.equal(answer.text, '')
      else assert.equal(JSON.parse(answer.text).code, 12)
    })
  }

  for (const path of ['/v1/users/me', '/.well-known/jwks.json', '/healthz', '/readyz']) {
    test(`POST on ${path} is a 405 that allows GET, and HEAD is served`, async () => {
      const post = await world.request('POST', path, { body: {} })
      const head = await world.request('HEAD', path)
      const get = await world.request('GET', path)

      assertProblem(post, 405, 12, /GET/)
      assert.match(post.headers.get('allow') ?? '', /\bGET\b/)
      assert.equal(head.status, get.status)
      assert.equal(head.text, '')
    })
  }

  test('what is no HTTP gets an answer of the same form', async () => {
    const requests = [
      ['NONSENSE', []],
      [
        `GET /healthz HTTP/1.1`,
        [
          ['Host', 'x'],
          ['Bad Header', 'x'],
        ],
      ],
      [
        `GET /healthz HTTP/1.1`,
        [
          ['Host', 'x'],
          ['Content-Length', '1'],
          ['Transfer-Encoding', 'chunked'],
        ],
      ],
      [
        `GET /healthz HTTP/1.1`,
        [
          ['Host', 'x'],
          ['X-Long', 'x'.repeat(20_000)],
        ],
      ],
    ] as const
    const hosts = [
      ['GET /healthz HTTP/1.1', []],
      [
        'GET /healthz HTTP/1.1',
        [
          ['Host', 'a'],
          ['Host', 'a'],
        ],
      ],
    ] as const
    for (const [line, headers] of [...requests, ...hosts]) {
      const answer = await sendRaw(world.app.url, line, headers)

      assert.ok([400, 431].includes(answer.status), answer.text)
      assert.equal(JSON.parse(answer.text).code, 3)
      assertSafeHeaders(answer)
    }
  })

  test('an expectation that is none of HTTP is not waited for', async () => {
    const headers = [
      ['Host', 'x'],
      ['Expect', 'the-unexpected'],
    ] as const

    const answer = await sendRaw(world.app.url, 'GET /healthz HTTP/1.1', headers)

    assert.equal(answer.status, 200)
    assertSafeHeaders(answer)
  })

  test('health says that the process lives, readiness what an exchange needs', async () => {
    const health = await world.request('GET', '/healthz')
    const ready = await world.request('GET', '/readyz')

    assert.equal(health.status, 200)
    assert.equal(ready.status, 200, ready.text)
    assert.deepEqual(Object.keys(ready.json.checks).sort(), [
      'compiler',
      'database',
      'migrations',
      'signingKey',
    ])
    assertSafeHeaders(ready)
  })
})
