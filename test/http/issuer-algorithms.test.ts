import assert from 'node:assert/strict'
import { createPublicKey, generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { assertProblem } from '../support/answers.ts'
import { type Claims, gitlabClaims } from '../support/gitlab-claims.ts'
import { signJws } from '../support/token-issuer.ts'
import { DATABASES, startWorld, type World } from '../support/world.ts'

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' })
const ed = generateKeyPairSync('ed25519')
const jwkOf = (kid: string, key: KeyObject): Claims => ({ ...key.export({ format: 'jwk' }), kid })

/** The point that adds nothing: as a public key it verifies the signature of itself and zero, for every message. */
const NEUTRAL_POINT = Buffer.from([1, ...Buffer.alloc(31)])
const UNIVERSAL_SIGNATURE = Buffer.concat([NEUTRAL_POINT, Buffer.alloc(32)])

const KEYS: readonly Claims[] = [
  jwkOf('rsa', rsa.publicKey),
  jwkOf('ec', ec.publicKey),
  jwkOf('ed', ed.publicKey),
]
const WEAK_KEYS: readonly Claims[] = [
  { kty: 'OKP', crv: 'Ed25519', kid: 'neutral', x: NEUTRAL_POINT.toString('base64url') },
  { ...jwkOf('off-the-curve', ec.publicKey), y: Buffer.alloc(32, 7).toString('base64url') },
  jwkOf('other-curve', p384.publicKey),
]

describe('an issuer that may sign with several algorithms', () => {
  const issuerUrl = 'https://gitlab.static.example.com'
  let world: World
  let email: string

  before(async () => {
    world = await startWorld(DATABASES[0])
    const registered = await world.admin('POST', '/v1/issuers?issuerId=static', {
      issuerUrl,
      providerType: 'GITLAB',
      algorithms: ['RS256', 'ES256', 'PS256', 'EdDSA'],
      jwks: { keys: [...KEYS, ...WEAK_KEYS] },
    })
    assert.equal(registered.status, 200, registered.text)
    email = await world.createIdentity([{ group: 'acme' }], { config: { issuerUrl } })
  })
  after(() => world?.close())

  const sign = (key: KeyObject | string, header: Claims, algorithm?: string) => {
    const now = Math.floor(world.clock() / 1000)
    const claims = {
      ...gitlabClaims('18.4'),
      iss: issuerUrl,
      aud: issuerUrl,
      iat: now,
      exp: now + 60,
      jti: randomUUID(),
    }
    return signJws({ typ: 'JWT', ...header }, claims, key, algorithm)
  }

  test('each of its algorithms is verified with the key that suits it', async () => {
    for (const [alg, kid, key] of [
      ['RS256', 'rsa', rsa.privateKey],
      ['PS256', 'rsa', rsa.privateKey],
      ['ES256', 'ec', ec.privateKey],
      ['EdDSA', 'ed', ed.privateKey],
    ] as const) {
      const answer = await world.exchange(sign(key, { alg, kid }), email)

      assert.equal(answer.status, 200, `${alg}: ${answer.text}`)
    }
  })

  test('no algorithm passes with the key or signature of another', async () => {
    const pem = (key: KeyObject) => String(createPublicKey(key).export({ type: 'spki', format: 'pem' }))
    const attacks = [
      [sign(rsa.privateKey, { alg: 'ES256', kid: 'rsa' }, 'RS256'), 'token_key'],
      [sign(ec.privateKey, { alg: 'RS256', kid: 'ec' }, 'ES256'), 'token_key'],
      [sign(ec.privateKey, { alg: 'EdDSA', kid: 'ec' }, 'ES256'), 'token_key'],
      [sign(ec.privateKey, { alg: 'ES384', kid: 'ec' }, 'ES256'), 'token_algorithm'],
      [sign(rsa.privateKey, { alg: 'PS256', kid: 'rsa' }, 'RS256'), 'token_signature'],
      [sign(rsa.privateKey, { alg: 'RS256', kid: 'rsa' }, 'PS256'), 'token_signature'],
      [sign(pem(rsa.privateKey), { alg: 'HS256', kid: 'rsa' }), 'token_algorithm'],
      [sign(pem(ec.privateKey), { alg: 'HS256', kid: 'ec' }), 'token_algorithm'],
      [withSignature(sign(ec.privateKey, { alg: 'ES256', kid: 'ec' }), Buffer.alloc(64)), 'token_signature'],
      [
        withSignature(sign(ed.privateKey, { alg: 'EdDSA', kid: 'ed' }), UNIVERSAL_SIGNATURE),
        'token_signature',
      ],
      [
        withSignature(sign(ed.privateKey, { alg: 'EdDSA', kid: 'neutral' }), UNIVERSAL_SIGNATURE),
        'token_key',
      ],
      [sign(ec.privateKey, { alg: 'ES256', kid: 'off-the-curve' }), 'token_key'],
      [sign(p384.privateKey, { alg: 'ES256', kid: 'other-curve' }, 'ES256'), 'token_key'],
    ] as const
    for (const [token, reason] of attacks) {
      const answer = await world.exchange(token, email)

      assertProblem(answer, 401, 16, /./)
      assert.equal(answer.json.details[0].reason, reason)
    }
  })

  test('static keys are never fetched, also for an unknown kid', async () => {
    const answer = await world.exchange(sign(rsa.privateKey, { alg: 'RS256', kid: 'unknown' }), email)
    const issuer = await world.admin('GET', '/v1/issuers/static')

    assert.equal(answer.json.details[0].reason, 'token_key')
    assert.deepEqual(issuer.json.keys, {
      fetchTime: null,
      keyIds: ['rsa', 'ec', 'ed', 'other-curve'],
      lastError: null,
    })
  })
})

function withSignature(token: string, signature: Uint8Array): string {
  return [...token.split('.').slice(0, 2), Buffer.from(signature).toString('base64url')].join('.')
}
