import assert from 'node:assert/strict'
import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { createGuardedFetch } from '../../src/issuer/guarded-fetch.ts'
import type { Issuer, SignatureAlgorithm } from '../../src/issuer/issuer.ts'
import { createKeyCache } from '../../src/issuer/key-cache.ts'
import { createLog } from '../../src/log.ts'
import { verifyJws } from '../../src/signature/jws-signature.ts'
import { type TokenRefusal, type VerifyTokenDeps, verifyToken } from '../../src/token/verify-token.ts'
import { type Gitlab, startGitlab } from '../support/gitlab.ts'
import { type Claims, gitlabClaims } from '../support/gitlab-claims.ts'
import { issuerOf } from '../support/issuer-of.ts'
import { publicJwk, signJws } from '../support/token-issuer.ts'

const NOW = Date.UTC(2026, 10, 24, 12) / 1000
const clock = () => NOW * 1000

let gitlab: Gitlab
let issuer: Issuer
let deps: VerifyTokenDeps

before(async () => {
  gitlab = await startGitlab({ clock })
  issuer = issuerOf(gitlab.issuerUrl)
  deps = depsFor([issuer])
})
after(() => gitlab?.close())

function depsFor(issuers: readonly Issuer[], more: Partial<VerifyTokenDeps> = {}): VerifyTokenDeps {
  const fetchJson = createGuardedFetch({ privateIssuers: issuers.map(({ issuerUrl }) => issuerUrl) })
  const cache = createKeyCache({ fetchJson, clock, log: createLog('silent') })
  return {
    clock,
    clockSkewSeconds: 60,
    maxTokenAgeSeconds: 86_400,
    findIssuer: async (issuerUrl) => issuers.find((known) => known.issuerUrl === issuerUrl),
    findKey: cache.findKey,
    verifySignature: async (algorithm, key, text) => verifyJws(algorithm, key, text),
    ...more,
  }
}

/** A token of the look-alike whose claims are changed, with a good signature. */
function token(claims: Claims = {}, header: Claims = {}): string {
  return gitlab.signToken({ ...gitlabClaims('18.4'), ...claims }, { header })
}

/** A good signature over any text as header or claims. */
function tokenOfText(parts: { header?: string; claims?: string }): string {
  const header = parts.header ?? JSON.stringify({ alg: 'RS256', kid: gitlab.key.kid, typ: 'JWT' })
  return signJws(header, parts.claims ?? claimsText(), gitlab.key.privateKey)
}

/** Claims as text; `more` are members as they are written, after the others. */
function claimsText(more = '', claims: Claims = {}): string {
  const registered = {
    iss: gitlab.issuerUrl,
    sub: 's',
    aud: 'a',
    iat: NOW,
    exp: NOW + 60,
    jti: 'j',
    ...claims,
  }
  return `${JSON.stringify(registered).slice(0, -1)}${more === '' ? '' : `,${more}`}}`
}

async function refusalOf(text: string, using = deps): Promise<TokenRefusal> {
  const result = await verifyToken(using, text)
  assert.equal(result.verified, false)
  return result as TokenRefusal
}

async function assertRefused(text: string, reason: string, using = deps): Promise<void> {
  const refusal = await refusalOf(text, using)
  assert.equal(refusal.reason, reason, refusal.message)
  assert.match(refusal.message, /^[A-Z][^\\\n"*?[\]]+\.$/)
}

async function assertVerified(text: string, using = deps): Promise<void> {
  const result = await verifyToken(using, text)
  assert.equal(result.verified, true, 'message' in result ? result.message : '')
}

test('a good token gives its claims, its issuer, its key and the hashes that it is known by', async () => {
  const text = token({ jti: 'jti-1', iat: NOW - 10, exp: NOW + 3600 })

  const result = await verifyToken(deps, text)

  assert.ok(result.verified)
  assert.equal(result.claims.project_path, 'acme/app')
  assert.equal(result.issuer, issuer)
  assert.equal(result.keyId, gitlab.key.kid)
  assert.equal(result.tokenHash, createHash('sha256').update(text).digest('hex'))
  assert.equal(result.jtiHash, createHash('sha256').update('jti-1').digest('hex'))
  assert.equal(result.replayableUntil, NOW + 3600)
})

test('a token that lives for days is remembered for one day after its issue', async () => {
  const result = await verifyToken(deps, token({ iat: NOW - 10, exp: NOW + 7 * 86_400 }))

  assert.equal(result.verified && result.replayableUntil, NOW - 10 + 86_400)
})

describe('tokens of every version of GitLab are verified', () => {
  for (const version of ['15.7', '16', '18.1', '18.2', '18.2 with job_project', '18.4', '18.9'] as const) {
    test(version, () => assertVerified(gitlab.signToken(gitlabClaims(version))))
  }
})

describe('a text that is not exactly a signed token is malformed', () => {
  const change = (part: number, edit: (text: string) => string) => {
    const parts = token().split('.')
    parts[part] = edit(parts[part] ?? '')
    return parts.join('.')
  }
  const texts: Record<string, () => string> = {
    nothing: () => '',
    'a word': () => 'token',
    'two parts': () => token().split('.').slice(0, 2).join('.'),
    'four parts': () => `${token()}.x`,
    'five parts, an encrypted one': () => `${token()}.x.y`,
    'an empty header': () => change(0, () => ''),
    'empty claims': () => change(1, () => ''),
    'an empty signature': () => change(2, () => ''),
    'no algorithm and so no signature': () => token({}, { alg: 'none' }).replace(/[^.]*$/, ''),
    padding: () => change(2, (part) => `${part}=`),
    'a newline at the end': () => `${token()}\n`,
    'a space before it': () => ` ${token()}`,
    'a newline inside': () => change(1, (part) => `${part.slice(0, 4)}\n${part.slice(4)}`),
    'the other base64 alphabet': () => change(2, (part) => `${part.slice(0, -2)}+/`),
    'letters beyond ASCII': () => change(2, (part) => `${part.slice(0, -1)}é`),
    'half a surrogate pair': () => change(2, (part) => `${part}\ud800`),
    'unused bits in the signature': () => change(2, (part) => part.slice(0, -1) + nextLetter(part.at(-1))),
    'a lone letter at the end': () => change(2, (part) => part.slice(0, -1)),
    'more than 16 KiB': () => token({ padding: 'x'.repeat(16 * 1024) }),
    'a header that is no JSON': () => tokenOfText({ header: '{alg:RS256}' }),
    'claims that are no JSON': () => tokenOfText({ claims: 'claims' }),
    'a header that is a list': () => tokenOfText({ header: '["RS256"]' }),
    'claims that are null': () => tokenOfText({ claims: 'null' }),
    'claims that are a list': () => tokenOfText({ claims: '[]' }),
    'claims that are text': () => tokenOfText({ claims: '"claims"' }),
    'a byte order mark before the claims': () => tokenOfText({ claims: `\uFEFF${claimsText()}` }),
    'a byte order mark before the header': () => tokenOfText({ header: '\uFEFF{"alg":"RS256"}' }),
    'a claim twice': () => tokenOfText({ claims: claimsText('"sub":"t"') }),
    'a claim twice by its escape': () => tokenOfText({ claims: claimsText('"su\\u0062":"t"') }),
    'alg twice': () => tokenOfText({ header: `{"alg":"none","alg":"RS256","kid":"${gitlab.key.kid}"}` }),
    'half a surrogate pair in a claim': () => tokenOfText({ claims: claimsText('"x":"\\ud800"') }),
    'half a surrogate pair in a name': () => tokenOfText({ claims: claimsText('"\\udfff":1') }),
    'a null character in any claim': () => tokenOfText({ claims: claimsText('"x":[{"y":"a\\u0000"}]') }),
    'claims 33 levels deep': () =>
      tokenOfText({ claims: claimsText(`"x":${'['.repeat(32)}${']'.repeat(32)}`) }),
    '501 claims': () => token(Object.fromEntries(Array.from({ length: 501 }, (_, i) => [`c${i}`, 1]))),
  }
  for (const [name, make] of Object.entries(texts)) {
    test(name, () => assertRefused(make(), 'token_malformed'))
  }

  test('bytes that are not UTF-8', () => {
    const parts = token().split('.')
    const broken = Buffer.from('{"iss":"\xff"}', 'latin1').toString('base64url')

    return assertRefused(`${parts[0]}.${broken}.${parts[2]}`, 'token_malformed')
  })
})

/** A letter of base64url whose unused low bits differ. */
function nextLetter(letter = 'A'): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return alphabet[alphabet.indexOf(letter) + 1] ?? 'B'
}

describe('a token may be signed by the algorithms of its issuer only, and bring neither keys nor rules', () => {
  const headers: Record<string, Claims> = {
    'none with something for a signature': { alg: 'none ' },
    NONE: { alg: 'NONE' },
    'no alg': { alg: undefined },
    'alg of another type': { alg: ['RS256'] },
    HS256: { alg: 'HS256' },
    RS512: { alg: 'RS512' },
    'an algorithm that other issuers may use': { alg: 'PS256' },
    'another case': { alg: 'rs256' },
    jwk: { jwk: { kty: 'oct', k: 'AA' } },
    jku: { jku: 'https://evil.example.com/jwks' },
    x5u: { x5u: 'https://evil.example.com/x5u' },
    x5c: { x5c: ['AA'] },
    crit: { crit: ['exp'] },
    'an empty crit': { crit: [] },
    'b64 without crit': { b64: false },
    'b64 true': { b64: true },
    'a jku of null': { jku: null },
  }
  for (const [name, header] of Object.entries(headers)) {
    test(name, () => assertRefused(token({}, header), 'token_algorithm'))
  }

  test('HS256 with the public key as the secret', () => {
    const secret = String(gitlab.key.publicKey.export({ type: 'spki', format: 'pem' }))
    const forged = signJws({ alg: 'HS256', kid: gitlab.key.kid, typ: 'JWT' }, claimsText(), secret)

    return assertRefused(forged, 'token_algorithm')
  })

  test('an algorithm comes before an unknown issuer and a wrong type', async () => {
    await assertRefused(
      token({ iss: 'https://unknown.example.com' }, { alg: 'HS256', typ: 'x' }),
      'token_algorithm',
    )
    await assertRefused(token({}, { alg: 'PS256', typ: 'at+jwt' }), 'token_algorithm')
  })

  test('thumbprints of a certificate do no harm', () =>
    assertVerified(token({}, { x5t: 'AA', 'x5t#S256': 'AA' })))
})

describe('a token is a JWT or says nothing of its type', () => {
  const types: readonly unknown[] = ['at+jwt', 'jwt', 'JOSE', 'application/jwt', '', null, 1, ['JWT']]
  for (const typ of types) {
    test(JSON.stringify(typ), () => assertRefused(token({}, { typ }), 'token_type'))
  }

  test('no typ is accepted', () => assertVerified(token({}, { typ: undefined })))

  test('an access token of our own is refused for its type, though nobody registered its issuer', () =>
    assertRefused(
      token({ iss: 'https://claimgate.example.com' }, { alg: 'ES256', typ: 'at+jwt' }),
      'token_type',
    ))
})

describe('the issuer must be registered, to the letter', () => {
  const issuers: Record<string, () => unknown> = {
    missing: () => undefined,
    null: () => null,
    'a number': () => 1,
    'a list': () => [gitlab.issuerUrl],
    empty: () => '',
    unknown: () => 'https://gitlab.example.com',
    'with a slash more': () => `${gitlab.issuerUrl}/`,
    'in another case': () => gitlab.issuerUrl.toUpperCase(),
    'with a space': () => `${gitlab.issuerUrl} `,
    'a bare host, as in old tokens': () => '127.0.0.1',
    'too long': () => `https://${'a'.repeat(250)}`,
    'with shell patterns in it': () => 'https://[*?]\\"$(id)',
    'with a control character': () => `${gitlab.issuerUrl}\u0007`,
  }
  for (const [name, make] of Object.entries(issuers)) {
    test(name, () => assertRefused(token({ iss: make() }), 'token_issuer'))
  }

  for (const state of ['DISABLED', 'DELETED'] as const) {
    test(`an issuer that is ${state} counts as not registered`, async () => {
      const refusal = await refusalOf(token(), depsFor([issuerOf(gitlab.issuerUrl, { state })]))

      assert.equal(refusal.reason, 'token_issuer')
      assert.equal(refusal.issuer, undefined)
    })
  }

  test('an issuer that the store found by another spelling is not taken', () =>
    assertRefused(
      token(),
      'token_issuer',
      depsFor([issuer], { findIssuer: async () => issuerOf('https://a.example') }),
    ))

  test('text that no issuer has is not even looked up', async () => {
    const asked: string[] = []
    const using = depsFor([], { findIssuer: async (url) => void asked.push(url) })

    for (const iss of ['', 'a\u0000b', 'a\u009fb', 'a'.repeat(256), 7])
      await verifyToken(using, token({ iss }))

    assert.deepEqual(asked, [])
  })
})

describe('the key must be named, published and strong', () => {
  for (const kid of [undefined, '', null, 1, ['a']]) {
    test(`kid ${JSON.stringify(kid)}`, () => assertRefused(token({}, { kid }), 'token_key'))
  }

  test('a kid that the issuer does not publish', () =>
    assertRefused(token({}, { kid: 'other' }), 'token_key'))

  test('the right key under no kid is not guessed', () =>
    assertRefused(token({}, { kid: 'undefined' }), 'token_key'))

  test('a key of another issuer, though it has the same kid', async (t) => {
    const other = await startGitlab({ clock, firstKey: 5 })
    t.after(() => other.close())
    const key = { ...other.key, kid: gitlab.key.kid }
    const jwks = { keys: [publicJwk(key)] } as unknown as Issuer['jwks']
    const using = depsFor([issuer, issuerOf(other.issuerUrl, { id: 'other', jwks })])

    await assertVerified(other.signToken({ ...gitlabClaims('18.4') }, { key }), using)
    await assertRefused(gitlab.signToken(gitlabClaims('18.4'), { key }), 'token_signature', using)
  })

  const rsa = (bits: number, publicExponent = 65_537) =>
    generateKeyPairSync('rsa', { modulusLength: bits, publicExponent })
  const weakKeys: Record<string, () => { publicKey: KeyObject; privateKey: KeyObject }> = {
    'RSA 1024': () => rsa(1024),
    'RSA 2048 with e = 3': () => rsa(2048, 3),
  }
  for (const [name, make] of Object.entries(weakKeys)) {
    test(`${name} is refused, not a fault`, async () => {
      const { publicKey, privateKey } = make()
      const jwks = {
        keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'weak' }],
      } as unknown as Issuer['jwks']
      const using = depsFor([issuerOf(gitlab.issuerUrl, { jwks })])
      const text = signJws({ alg: 'RS256', kid: 'weak' }, claimsText(), privateKey)

      await assertRefused(text, 'token_key', using)
    })
  }

  test('RSA with e = 1, under which anybody forges', async () => {
    const { n } = gitlab.key.publicKey.export({ format: 'jwk' })
    const jwks = { keys: [{ kty: 'RSA', kid: 'one', n, e: 'AQ' }] } as unknown as Issuer['jwks']

    await assertRefused(
      token({}, { kid: 'one' }),
      'token_key',
      depsFor([issuerOf(gitlab.issuerUrl, { jwks })]),
    )
  })

  test('a key that the library will not work with is a refusal', async () => {
    const weak = rsa(1024)
    const using = depsFor([issuer], { findKey: async () => ({ found: true, key: weak.publicKey }) })

    await assertRefused(
      signJws({ alg: 'RS256', kid: 'k' }, claimsText(), weak.privateKey),
      'token_key',
      using,
    )
  })

  test('an issuer that cannot be reached is unavailable, which is no denial', async () => {
    const closed = await startGitlab({ clock })
    await closed.close()
    const refusal = await refusalOf(closed.signToken({}), depsFor([issuerOf(closed.issuerUrl)]))

    assert.equal(refusal.reason, 'issuer_unavailable')
    assert.equal(refusal.outcome, 'FAILED')
    assert.equal(refusal.issuer?.issuerUrl, closed.issuerUrl)
  })

  test('a fault of the store is thrown, not turned into a refusal', async () => {
    const using = depsFor([issuer], { findIssuer: () => Promise.reject(new Error('database')) })

    await assert.rejects(verifyToken(using, token()), /database/)
  })
})

describe('every algorithm verifies with a key that suits it, and with no other', () => {
  const pairs: Record<SignatureAlgorithm, () => { publicKey: KeyObject; privateKey: KeyObject }> = {
    RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
    PS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
    ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    ES384: () => generateKeyPairSync('ec', { namedCurve: 'P-384' }),
    EdDSA: () => generateKeyPairSync('ed25519'),
  }
  const algorithms = Object.keys(pairs) as SignatureAlgorithm[]
  for (const alg of algorithms) {
    test(alg, async () => {
      const { publicKey, privateKey } = pairs[alg]()
      const jwks = {
        keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k', alg }],
      } as unknown as Issuer['jwks']
      const using = depsFor([issuerOf(gitlab.issuerUrl, { algorithms, jwks })])
      const good = signJws({ alg, kid: 'k' }, claimsText(), privateKey)

      await assertVerified(good, using)
      await assertRefused(`${good.slice(0, -6)}AAAAAA`, 'token_signature', using)
      for (const other of algorithms.filter((name) => name !== alg)) {
        await assertRefused(signJws({ alg: other, kid: 'k' }, claimsText(), privateKey), 'token_key', using)
      }
    })
  }
})

describe('the signature must be that of the named key over this very text', () => {
  test('other claims under the same signature', () => {
    const [header, , signature] = token().split('.')
    const claims = Buffer.from(claimsText()).toString('base64url')

    return assertRefused(`${header}.${claims}.${signature}`, 'token_signature')
  })

  test('the right kid, but signed with another key', async () => {
    const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const key = { ...stranger, kid: gitlab.key.kid }
    const refusal = await refusalOf(gitlab.signToken(gitlabClaims('18.4'), { key }))

    assert.equal(refusal.reason, 'token_signature')
    assert.equal(refusal.claims, undefined)
  })

  test('nothing of the claims is looked at before', () =>
    assertRefused(token({ exp: 'never' }).replace(/\.[^.]*$/, '.AAAA'), 'token_signature'))
})

describe('the registered claims have their types', () => {
  const required = ['sub', 'aud', 'exp', 'iat', 'jti']
  const wrong: Record<string, readonly unknown[]> = {
    sub: [1, null, {}, ['s'], true, '', 'a\u0007b', 'a\u0085b', 's'.repeat(2049)],
    jti: [1, null, {}, ['j'], '', 'a\nb', 'j'.repeat(256)],
    aud: [1, null, {}, [null, 'ours'], [1], [['a']], 'a\u0001', 'a'.repeat(256), ['a'.repeat(256)]],
    exp: ['1', null, {}, [NOW], true, 1e20, 4_102_444_800, 253_402_300_800],
    iat: ['1', null, {}, [NOW], 1e20, 4_102_444_800],
    nbf: ['1', null, {}, [NOW], 1e20, 4_102_444_800],
  }
  for (const name of required) {
    test(`${name} missing`, () => assertRefused(token({ [name]: undefined }), 'token_claims'))
  }
  for (const [name, values] of Object.entries(wrong)) {
    for (const value of values) {
      test(`${name} ${JSON.stringify(value).slice(0, 40)}`, () =>
        assertRefused(token({ [name]: value }), 'token_claims'))
    }
  }

  for (const text of ['"exp":1e400', '"iat":-1e400', '"nbf":1e999']) {
    test(text, () => {
      const name = text.slice(1, 4)

      return assertRefused(tokenOfText({ claims: claimsText(text, { [name]: undefined }) }), 'token_claims')
    })
  }

  test('a number of any other claim that no double holds', () =>
    assertRefused(tokenOfText({ claims: claimsText('"x":{"y":[1e400]}') }), 'token_claims'))

  test('the refusal shows the claims, for the signature was good', async () => {
    const refusal = await refusalOf(token({ jti: 1 }))

    assert.equal(refusal.claims?.project_path, 'acme/app')
    assert.equal(refusal.keyId, gitlab.key.kid)
  })

  test('the longest texts are accepted', () =>
    assertVerified(token({ sub: 's'.repeat(2048), jti: 'j'.repeat(255), aud: 'a'.repeat(255) })))

  test('no audience, several and an unknown one are not this question', async () => {
    for (const aud of [[], ['a', 'b'], ['a'], '', 'unknown']) await assertVerified(token({ aud }))
  })

  test('a member called __proto__ lends no claims', () =>
    assertRefused(
      tokenOfText({ claims: claimsText('"__proto__":{"jti":"j"}', { jti: undefined }) }),
      'token_claims',
    ))
})

describe('a token is valid for its time and no longer', () => {
  const cases: readonly [string, Claims, string | undefined][] = [
    ['expired within the tolerance', { exp: NOW - 59 }, undefined],
    ['expired just within it, with a fraction', { exp: NOW - 59.5 }, undefined],
    ['expired by the whole tolerance', { exp: NOW - 60 }, 'token_expired'],
    ['expired long ago', { exp: NOW - 86_400 * 365, iat: NOW - 86_400 * 366, nbf: 0 }, 'token_expired'],
    ['expired before all time', { exp: -1e300 }, 'token_expired'],
    ['exp of zero', { exp: 0 }, 'token_expired'],
    ['expiring in the last second before 2100', { exp: 4_102_444_799 }, undefined],
    ['not yet valid, but within the tolerance', { nbf: NOW + 60 }, undefined],
    ['not yet valid', { nbf: NOW + 61 }, 'token_not_yet_valid'],
    ['not yet valid by a fraction', { nbf: NOW + 60.1 }, 'token_not_yet_valid'],
    ['without nbf', { nbf: undefined }, undefined],
    ['issued in the future within the tolerance', { iat: NOW + 60, nbf: NOW }, undefined],
    ['issued in the future', { iat: NOW + 61, nbf: NOW, exp: NOW + 300 }, 'token_age'],
    ['issued a year ahead', { iat: NOW + 31_536_000, nbf: NOW, exp: NOW + 63_072_000 }, 'token_age'],
    ['a day old', { iat: NOW - 86_400, exp: NOW + 60 }, undefined],
    ['a day and the tolerance old', { iat: NOW - 86_460, exp: NOW + 60 }, undefined],
    ['older', { iat: NOW - 86_461, exp: NOW + 60 }, 'token_age'],
    ['issued at zero', { iat: 0, exp: NOW + 60 }, 'token_age'],
    ['for a week, as long as a job may run', { exp: NOW + 7 * 86_400 }, undefined],
    ['expired and not yet valid and too old', { exp: 1, nbf: NOW + 900, iat: 0 }, 'token_expired'],
    ['not yet valid and too old', { nbf: NOW + 900, iat: 0, exp: NOW + 1000 }, 'token_not_yet_valid'],
  ]
  for (const [name, claims, reason] of cases) {
    test(name, () =>
      reason === undefined ? assertVerified(token(claims)) : assertRefused(token(claims), reason),
    )
  }

  test('a shorter maximum age holds', () =>
    assertRefused(token({ iat: NOW - 400 }), 'token_age', depsFor([issuer], { maxTokenAgeSeconds: 300 })))

  test('without tolerance exp is the first moment that is too late', async () => {
    const using = depsFor([issuer], { clockSkewSeconds: 0 })

    await assertRefused(token({ exp: NOW }), 'token_expired', using)
    await assertVerified(token({ exp: NOW + 0.5 }), using)
  })

  test('the messages say how long, in words', async () => {
    const messages = [
      [{ exp: NOW - 299 }, /^The token expired 4 minutes ago\./],
      [{ exp: NOW - 61 }, /^The token expired 1 minute ago\./],
      [{ exp: NOW - 7200 }, /^The token expired 2 hours ago\./],
      [{ nbf: NOW + 120 }, /^The token is not valid for another 2 minutes\./],
      [
        { iat: NOW - 90_000, exp: NOW + 9 },
        /^The token was issued 25 hours ago; at most 24 hours are accepted\./,
      ],
      [{ iat: NOW + 180, nbf: NOW }, /^The token was issued 3 minutes in the future\./],
    ] as const
    for (const [claims, message] of messages) assert.match((await refusalOf(token(claims))).message, message)
  })
})
