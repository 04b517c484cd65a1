import assert from 'node:assert/strict'
import { generateKeyPairSync, type JsonWebKey } from 'node:crypto'
import { describe, test } from 'node:test'
import { describeUnusedKeys, hasUsableKey, readJwks, validateJwks } from '../../src/issuer/jwks.ts'

type Jwk = Record<string, unknown>

const pairs = {
  rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  p256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  p384: generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  p521: generateKeyPairSync('ec', { namedCurve: 'P-521' }),
  secp256k1: generateKeyPairSync('ec', { namedCurve: 'secp256k1' }),
  ed25519: generateKeyPairSync('ed25519'),
  x25519: generateKeyPairSync('x25519'),
}

function jwk(kind: keyof typeof pairs, more: Jwk = {}): Jwk {
  return { ...pairs[kind].publicKey.export({ format: 'jwk' }), kid: kind, ...more }
}

function privateJwk(kind: keyof typeof pairs): JsonWebKey {
  return pairs[kind].privateKey.export({ format: 'jwk' })
}

/** The algorithms that a key would be used for; undefined where it is not used at all. */
function algorithmsOf(key: unknown, kid: string): readonly string[] | undefined {
  const read = readJwks({ keys: [key] })
  const found = read.ok ? read.keys.get(kid) : undefined
  return found?.usable ? [...found.byAlgorithm.keys()] : undefined
}

describe('a good key is used for the algorithms that suit it', () => {
  const cases: readonly [string, Jwk, readonly string[]][] = [
    ['rsa', jwk('rsa'), ['RS256', 'PS256']],
    ['rsa', jwk('rsa', { alg: 'RS256', use: 'sig' }), ['RS256']],
    ['rsa', jwk('rsa', { alg: 'PS256', key_ops: ['verify'] }), ['PS256']],
    ['p256', jwk('p256'), ['ES256']],
    ['p384', jwk('p384'), ['ES384']],
    ['ed25519', jwk('ed25519', { alg: 'EdDSA', unknown: 1 }), ['EdDSA']],
  ]
  for (const [kid, key, algorithms] of cases) {
    test(`${kid} ${algorithms}`, () => assert.deepEqual(algorithmsOf(key, kid), algorithms))
  }
})

const base64 = (hex: string) => Buffer.from(hex, 'hex').toString('base64url')
const little = (value: bigint) =>
  Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse().toString('base64url')
const P = 2n ** 255n - 19n
const flipLastBit = (text: unknown) => {
  const bytes = Buffer.from(String(text), 'base64url')
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
  return bytes.toString('base64url')
}
const rsaOf = (bits: number) =>
  generateKeyPairSync('rsa', { modulusLength: bits }).publicKey.export({ format: 'jwk' })

const badKeys: Record<string, unknown> = {
  'no object': 'key',
  null: null,
  'a shared secret': { kty: 'oct', k: base64('00112233'), kid: 'k' },
  'a private RSA key': { ...privateJwk('rsa'), kid: 'k' },
  'a private EC key': { ...privateJwk('p256'), kid: 'k' },
  'a private Ed25519 key': { ...privateJwk('ed25519'), kid: 'k' },
  'one private member': jwk('rsa', { qi: '' }),
  'a key for encryption': jwk('rsa', { use: 'enc' }),
  'a use of another type': jwk('rsa', { use: ['sig'] }),
  'a use of null': jwk('rsa', { use: null }),
  'operations without verify': jwk('rsa', { key_ops: ['encrypt'] }),
  'operations of another type': jwk('rsa', { key_ops: 'verify' }),
  'another algorithm': jwk('rsa', { alg: 'RS512' }),
  'an algorithm of another kind of key': jwk('rsa', { alg: 'ES256' }),
  'a secret algorithm': jwk('rsa', { alg: 'HS256' }),
  'RSA 1024': { ...rsaOf(1024), kid: 'k' },
  'RSA 2047': { ...jwk('rsa'), n: base64(`7f${'ff'.repeat(255)}`) },
  'RSA 8193': { ...jwk('rsa'), n: base64(`01${'ff'.repeat(1024)}`) },
  'RSA with an even modulus': { ...jwk('rsa'), n: base64(`${'ff'.repeat(255)}fe`) },
  'RSA with leading zeros to seem long': {
    ...rsaOf(1024),
    n: base64(`${'00'.repeat(128)}${'ff'.repeat(128)}`),
  },
  'e = 1': jwk('rsa', { e: 'AQ' }),
  'e = 3': jwk('rsa', { e: 'Aw' }),
  'e = 65535': jwk('rsa', { e: base64('ffff') }),
  'an even e': jwk('rsa', { e: base64('010002') }),
  'an e of 2048 bits': jwk('rsa', { e: base64('ff'.repeat(256)) }),
  'no e': jwk('rsa', { e: undefined }),
  'an e of another type': jwk('rsa', { e: 65537 }),
  'an empty n': jwk('rsa', { n: '' }),
  'an n that is no base64url': jwk('rsa', { n: '!' }),
  'P-521': jwk('p521'),
  secp256k1: jwk('secp256k1'),
  X25519: jwk('x25519'),
  'an EC point off its curve': jwk('p256', { y: flipLastBit(jwk('p256').y) }),
  'an EC point of another curve': jwk('p384', { crv: 'P-256' }),
  'an EC point at zero': jwk('p256', { x: base64('00'.repeat(32)), y: base64('00'.repeat(32)) }),
  'an EC key without y': jwk('p256', { y: undefined }),
  'an RSA key that names a curve': jwk('rsa', { crv: 'P-256' }),
  'Ed25519: the identity': jwk('ed25519', { x: little(1n) }),
  'Ed25519: order 2': jwk('ed25519', { x: little(P - 1n) }),
  'Ed25519: order 4': jwk('ed25519', { x: little(0n) }),
  'Ed25519: order 4, the other sign': jwk('ed25519', { x: little(2n ** 255n) }),
  'Ed25519: order 8': jwk('ed25519', {
    x: base64('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05'),
  }),
  'Ed25519: order 8, the other y': jwk('ed25519', {
    x: base64('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a'),
  }),
  'Ed25519: order 8, the other sign': jwk('ed25519', {
    x: base64('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85'),
  }),
  'Ed25519: y not reduced': jwk('ed25519', { x: little(P + 3n) }),
  'Ed25519: off the curve': jwk('ed25519', { x: little(2n) }),
  'Ed25519: too short': jwk('ed25519', { x: 'AA' }),
}

describe('a key that would be unsafe, or is for something else, is neither used nor saved', () => {
  for (const [name, key] of Object.entries(badKeys)) {
    test(name, () => {
      const kid = typeof key === 'object' && key !== null && 'kid' in key ? String(key.kid) : ''

      assert.equal(algorithmsOf(key, kid), undefined)
      const unused = describeUnusedKeys({ keys: [jwk('p256', { kid: 'good' }), key] }, ['ES256', 'RS256'])
      assert.equal(unused.length, 1)
    })
  }
})

test('what is refused names the key and the reason', () => {
  assert.match(
    validateJwks({ keys: [{ kty: 'oct', k: 'AA', kid: 'mine' }] }) ?? '',
    /the key mine, which is a shared secret/,
  )
  assert.match(
    validateJwks({ keys: [{ ...privateJwk('rsa'), kid: 'mine' }] }) ?? '',
    /the key mine, which is private/,
  )
  assert.match(
    describeUnusedKeys({ keys: [{ ...rsaOf(1024), kid: 'mine' }] }, ['RS256']).join(),
    /^The key mine is not used: it is an RSA key of 1024/,
  )
  assert.match(
    describeUnusedKeys({ keys: [jwk('rsa', { kid: undefined })] }, ['RS256']).join(),
    /^The key number 1 is not used: it has no kid/,
  )
  assert.doesNotMatch(validateJwks({ keys: [{ kty: 'oct', k: 'AA', kid: 'a\\\n*' }] }) ?? '', /[\\\n*]/)
})

test('a kid that stands twice stands for neither key', () => {
  const twice = { keys: [jwk('rsa', { kid: 'k' }), jwk('p256', { kid: 'k' }), jwk('p384')] }

  const read = readJwks(twice)

  assert.ok(read.ok)
  assert.equal(read.keys.get('k')?.usable, false)
  assert.equal(read.keys.get('p384')?.usable, true)
  assert.match(describeUnusedKeys(twice, ['RS256', 'ES384']).join(), /stands twice/)
})

test('three keys of one kid stand for none either, nor does one beside a key for encryption', () => {
  for (const more of [
    [jwk('p256', { kid: 'k' }), jwk('p384', { kid: 'k' })],
    [jwk('p256', { kid: 'k', use: 'enc' })],
  ]) {
    const read = readJwks({ keys: [jwk('rsa', { kid: 'k' }), ...more] })

    assert.equal(read.ok && read.keys.get('k')?.usable, false)
  }
})

test('a bad key does not take its neighbours with it', () => {
  const read = readJwks({ keys: [null, jwk('rsa', { e: 'AQ' }), { kid: 1 }, jwk('p256')] })

  assert.ok(read.ok && hasUsableKey(read.keys))
  assert.deepEqual([...read.keys.keys()], ['rsa', 'p256'])
})

test('what is no set of 1 to 100 keys is a problem', () => {
  const many = (count: number) => ({
    keys: Array.from({ length: count }, (_, i) => jwk('p256', { kid: `k${i}` })),
  })
  const wrong = [
    null,
    [],
    'keys',
    {},
    { keys: {} },
    { keys: [] },
    { keys: [jwk('rsa', { kid: '' })] },
    many(101),
  ]

  for (const value of wrong) {
    assert.equal(readJwks(value).ok, false)
    assert.ok(validateJwks(value))
  }
  assert.equal(readJwks(many(100)).ok, true)
  assert.equal(validateJwks(many(100)), undefined)
})

test('keys that suit no algorithm of their issuer are told of', () => {
  const keys = { keys: [jwk('p256'), jwk('ed25519')] }

  assert.deepEqual(describeUnusedKeys(keys, ['ES256', 'EdDSA']), [])
  assert.match(describeUnusedKeys(keys, ['RS256']).join(), /suits none of RS256/)
})
