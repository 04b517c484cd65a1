import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { afterEach, describe, test } from 'node:test'
import { createGuardedFetch } from '../../src/issuer/guarded-fetch.ts'
import type { Issuer } from '../../src/issuer/issuer.ts'
import { createKeyCache, type KeyCache } from '../../src/issuer/key-cache.ts'
import { createLog } from '../../src/log.ts'
import { type Gitlab, startGitlab } from '../support/gitlab.ts'
import { issuerOf } from '../support/issuer-of.ts'
import { publicJwk } from '../support/token-issuer.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND

const running: Gitlab[] = []
afterEach(async () => {
  for (const gitlab of running.splice(0)) await gitlab.close()
})

type Setup = {
  readonly gitlab: Gitlab
  readonly issuer: Issuer
  readonly cache: KeyCache
  advance(ms: number): void
  /** "found", or the reason why not. */
  find(kid?: string, issuer?: Issuer): Promise<string>
}

async function setUp(options: { path?: string } = {}): Promise<Setup> {
  let now = Date.UTC(2026, 10, 24)
  const clock = () => now
  const gitlab = await startGitlab({ clock, ...options })
  running.push(gitlab)
  const fetchJson = createGuardedFetch({ privateIssuers: [gitlab.issuerUrl, `${gitlab.issuerUrl}/`] })
  const cache = createKeyCache({ fetchJson, clock, log: createLog('silent') })
  const issuer = issuerOf(gitlab.issuerUrl)
  return {
    gitlab,
    issuer,
    cache,
    advance: (ms) => {
      now += ms
    },
    async find(kid = gitlab.key.kid, of = issuer) {
      const lookup = await cache.findKey(of, kid, 'RS256')
      return lookup.found ? 'found' : lookup.reason
    },
  }
}

const DOWN = { discovery: { status: 503 }, jwks: { status: 503 } }

test('keys are fetched once and serve for ten minutes', async () => {
  const { gitlab, find, advance } = await setUp()

  assert.equal(await find(), 'found')
  advance(10 * MINUTE - 1)
  assert.equal(await find(), 'found')
  assert.deepEqual(gitlab.requests, { discovery: 1, jwks: 1 })

  advance(1)
  assert.equal(await find(), 'found')
  assert.deepEqual(gitlab.requests, { discovery: 2, jwks: 2 })
})

test('an instance under a path, with or without a slash at its end, is discovered below it', async () => {
  const { gitlab, find } = await setUp({ path: '/gitlab' })
  assert.equal(await find(), 'found')

  const issuerUrl = `${gitlab.issuerUrl}/`
  const document = { issuer: issuerUrl, jwks_uri: `${gitlab.issuerUrl}/oauth/discovery/keys` }
  gitlab.behave({ discovery: { body: JSON.stringify(document) } })
  assert.equal(await find(undefined, issuerOf(issuerUrl, { id: 'slash' })), 'found')
})

describe('a max-age of a minute or more shortens how long keys serve', () => {
  const cases: readonly [string, number][] = [
    ['max-age=60', 1],
    ['public, max-age=120', 2],
    ['max-age=59', 10],
    ['max-age=0, private', 10],
    ['max-age=86400', 10],
    ['s-maxage=60', 10],
    ['max-age=99999999999999', 10],
    ['max-age=x', 10],
  ]
  for (const [header, minutes] of cases) {
    test(`${header}: ${minutes} minutes`, async () => {
      const { gitlab, find, advance } = await setUp()
      gitlab.behave({ jwks: { headers: { 'cache-control': header } } })

      await find()
      advance(minutes * MINUTE - 1)
      await find()
      assert.equal(gitlab.requests.jwks, 1)

      advance(1)
      await find()
      assert.equal(gitlab.requests.jwks, 2)
    })
  }
})

test('a hundred lookups at once make one fetch', async () => {
  const { gitlab, find } = await setUp()

  const found = await Promise.all(Array.from({ length: 100 }, () => find()))

  assert.deepEqual(new Set(found), new Set(['found']))
  assert.deepEqual(gitlab.requests, { discovery: 1, jwks: 1 })
})

test('an unknown kid makes one fetch more in 15 seconds, however many ask', async () => {
  const { gitlab, find, advance } = await setUp()
  await find()

  const unknown = await Promise.all(Array.from({ length: 50 }, (_, i) => find(`unknown-${i}`)))
  assert.deepEqual(new Set(unknown), new Set(['token_key']))
  assert.equal(gitlab.requests.jwks, 2)

  advance(15 * SECOND - 1)
  await find('unknown')
  assert.equal(gitlab.requests.jwks, 2)

  advance(1)
  await find('unknown')
  assert.equal(gitlab.requests.jwks, 3)
})

test('an unknown kid is not asked for twice when the keys were fetched for it', async () => {
  const { gitlab, find } = await setUp()

  assert.equal(await find('unknown'), 'token_key')
  assert.equal(gitlab.requests.jwks, 1)
})

test('a new key is found at once after a rotation, and the one before it still', async () => {
  const { gitlab, find } = await setUp()
  const before = gitlab.key.kid
  await find()

  gitlab.rotateKeys()

  assert.equal(await find(), 'found')
  assert.equal(await find(before), 'found')
})

test('a key that its issuer took back is gone with the next fetch', async () => {
  const { gitlab, find, advance } = await setUp()
  const before = gitlab.key.kid
  await find()
  gitlab.rotateKeys()
  gitlab.rotateKeys()

  advance(10 * MINUTE)

  assert.equal(await find(before), 'token_key')
})

test('an issuer that never answered is unavailable, and is asked again after 1, 2, 4 … 30 seconds', async () => {
  const { gitlab, find, advance } = await setUp()
  gitlab.behave(DOWN)

  assert.equal(await find(), 'issuer_unavailable')
  for (const [index, seconds] of [1, 2, 4, 8, 16, 30, 30].entries()) {
    advance(seconds * SECOND - 1)
    assert.equal(await find(), 'issuer_unavailable')
    assert.equal(gitlab.requests.discovery, index + 1)
    advance(1)
    assert.equal(await find(), 'issuer_unavailable')
    assert.equal(gitlab.requests.discovery, index + 2)
  }

  gitlab.behave()
  advance(30 * SECOND)
  assert.equal(await find(), 'found')
})

test('keys serve for an hour while their issuer is down, and no longer', async () => {
  const { gitlab, find, advance } = await setUp()
  await find()
  gitlab.behave(DOWN)

  advance(60 * MINUTE)
  assert.equal(await find(), 'found')
  advance(1)
  assert.equal(await find(), 'issuer_unavailable')

  gitlab.behave()
  advance(30 * SECOND)
  assert.equal(await find(), 'found')
})

test('while the issuer is down nobody can say whether an unknown kid is a new key', async () => {
  const { gitlab, find, advance } = await setUp()
  await find()
  gitlab.behave(DOWN)

  assert.equal(await find('new'), 'issuer_unavailable')
  assert.equal(await find(), 'found')

  const { discovery } = gitlab.requests
  advance(14 * SECOND)
  assert.equal(await find('new'), 'issuer_unavailable')
  assert.equal(gitlab.requests.discovery, discovery)
})

describe('an answer that is empty or broken replaces no good keys', () => {
  const weak = publicJwk({ kid: 'weak', ...generateKeyPairSync('rsa', { modulusLength: 1024 }) })
  const bodies: Record<string, string> = {
    'no keys': '{"keys":[]}',
    'no list of keys': '{}',
    'a list': '[]',
    'no JSON': '<html>',
    nothing: '',
    'keys that are all weak': JSON.stringify({ keys: [weak] }),
    'too many keys': JSON.stringify({ keys: Array.from({ length: 101 }, (_, i) => ({ kid: `${i}` })) }),
    'too many bytes': JSON.stringify({ keys: [], more: 'x'.repeat(300_000) }),
  }
  for (const [name, body] of Object.entries(bodies)) {
    test(name, async () => {
      const { gitlab, find, advance, cache, issuer } = await setUp()
      await find()
      gitlab.behave({ jwks: { body } })

      advance(10 * MINUTE)

      assert.equal(await find(), 'found')
      assert.ok(cache.status(issuer).lastError)
    })
  }
})

test('a weak key is refused for what it is, also where an issuer has no other', async () => {
  const { gitlab, find } = await setUp()
  const weak = publicJwk({ kid: 'weak', ...generateKeyPairSync('rsa', { modulusLength: 1024 }) })
  gitlab.behave({ jwks: { body: JSON.stringify({ keys: [weak] }) } })

  assert.equal(await find('weak'), 'token_key')
})

describe('a discovery document that leads astray makes the issuer unavailable', () => {
  const documents: Record<string, (issuerUrl: string) => unknown> = {
    'another issuer': (url) => ({ issuer: 'https://gitlab.com', jwks_uri: `${url}/oauth/discovery/keys` }),
    'the issuer with a slash more': (url) => ({ issuer: `${url}/`, jwks_uri: `${url}/oauth/discovery/keys` }),
    'no issuer': (url) => ({ jwks_uri: `${url}/oauth/discovery/keys` }),
    'no keys': (url) => ({ issuer: url }),
    'keys of another type': (url) => ({ issuer: url, jwks_uri: [`${url}/oauth/discovery/keys`] }),
    'keys of another origin': (url) => ({ issuer: url, jwks_uri: 'http://127.0.0.1:1/keys' }),
    'keys by another name of the same host': (url) => ({
      issuer: url,
      jwks_uri: `${url.replace('127.0.0.1', 'localhost')}/oauth/discovery/keys`,
    }),
    'keys behind a query': (url) => ({ issuer: url, jwks_uri: `${url}/oauth/discovery/keys?a=b` }),
    'a list': () => [],
    null: () => null,
  }
  for (const [name, document] of Object.entries(documents)) {
    test(name, async () => {
      const { gitlab, find } = await setUp()
      gitlab.behave({ discovery: { body: JSON.stringify(document(gitlab.issuerUrl)) } })

      assert.equal(await find(), 'issuer_unavailable')
      assert.equal(gitlab.requests.jwks, 0)
    })
  }

  test('a redirect', async () => {
    const { gitlab, find } = await setUp()
    gitlab.behave({ jwks: { status: 302, headers: { location: '/oauth/discovery/keys' } } })

    assert.equal(await find(), 'issuer_unavailable')
    assert.equal(gitlab.requests.jwks, 1)
  })
})

test('a changed issuer keeps the keys that were fetched', async () => {
  const { gitlab, find, issuer } = await setUp()
  await find()

  assert.equal(await find(undefined, { ...issuer, title: 'Renamed', revision: '2' }), 'found')
  assert.equal(gitlab.requests.jwks, 1)
})

test('static keys are those of one revision, and what was fetched before them is fetched anew', async () => {
  const { gitlab, find, issuer } = await setUp()
  const keysOf = (kid: string) => ({ keys: [{ ...publicJwk(gitlab.key), kid }] }) as unknown as Issuer['jwks']
  await find()

  assert.equal(await find('one', { ...issuer, revision: '2', jwks: keysOf('one') }), 'found')
  assert.equal(await find('one', { ...issuer, revision: '3', jwks: keysOf('two') }), 'token_key')
  assert.equal(await find(undefined, { ...issuer, revision: '4' }), 'found')
  assert.equal(gitlab.requests.jwks, 2)
})

test('a refresh fetches before its time, also while failures would have it wait, and joins one under way', async () => {
  const { gitlab, cache, issuer, find } = await setUp()
  await find()
  gitlab.behave(DOWN)
  await cache.refresh(issuer)
  const { discovery } = gitlab.requests

  await Promise.all([cache.refresh(issuer), cache.refresh(issuer)])
  const down = cache.status(issuer)
  gitlab.behave()
  await cache.refresh(issuer)

  assert.equal(gitlab.requests.discovery, discovery + 2)
  assert.deepEqual(down.keyIds, [gitlab.key.kid])
  assert.match(down.lastError ?? '', /./)
  assert.equal(cache.status(issuer).lastError, null)
})

test('two issuers with the same kid keep their own keys', async () => {
  const first = await setUp()
  const second = await startGitlab({ clock: () => 0, firstKey: 3 })
  running.push(second)
  const jwks = {
    keys: [{ ...publicJwk(second.key), kid: first.gitlab.key.kid }],
  } as unknown as Issuer['jwks']
  const other = issuerOf(second.issuerUrl, { id: 'other', jwks })

  const mine = await first.cache.findKey(first.issuer, first.gitlab.key.kid, 'RS256')
  const theirs = await first.cache.findKey(other, first.gitlab.key.kid, 'RS256')

  assert.ok(mine.found && theirs.found)
  assert.notEqual(mine.key, theirs.key)
})

describe('static keys', () => {
  test('serve without any fetch, and an unknown kid makes none', async () => {
    const { gitlab, find, advance, issuer } = await setUp()
    const jwks = { keys: [publicJwk(gitlab.key)] } as unknown as Issuer['jwks']
    const offline = { ...issuer, jwks }

    assert.equal(await find(undefined, offline), 'found')
    assert.equal(await find('unknown', offline), 'token_key')
    advance(365 * 24 * 60 * MINUTE)
    assert.equal(await find(undefined, offline), 'found')
    assert.deepEqual(gitlab.requests, { discovery: 0, jwks: 0 })
  })
})

test('the status names the keys, when they came, and what went wrong until it is mended', async () => {
  const { gitlab, find, advance, cache, issuer } = await setUp()
  assert.deepEqual(cache.status(issuer), { fetchTime: null, keyIds: [], lastError: null })

  gitlab.behave({ discovery: { status: 500, body: 'secret detail' } })
  await find()
  assert.match(cache.status(issuer).lastError ?? '', /^The answer was not 200\.$/)

  gitlab.behave()
  advance(SECOND)
  await find()
  assert.deepEqual(cache.status(issuer), {
    fetchTime: '2026-11-24T00:00:01.000Z',
    keyIds: [gitlab.key.kid],
    lastError: null,
  })
})

test('a key is given for the algorithm that it suits only', async () => {
  const { gitlab, cache, issuer } = await setUp()

  const lookup = await cache.findKey(issuer, gitlab.key.kid, 'PS256')

  assert.equal(!lookup.found && lookup.reason, 'token_key')
})
