import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { describe, test } from 'node:test'
import { CompactSign, compactVerify } from 'jose'
import type { SignatureAlgorithm } from '../../src/issuer/issuer.ts'
import { signJws, verifyJws } from '../../src/signature/jws-signature.ts'

const rsa = (modulusLength = 2048) => generateKeyPairSync('rsa', { modulusLength })
const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve })

type Pair = { readonly publicKey: KeyObject; readonly privateKey: KeyObject }
const PAIRS: Readonly<Record<SignatureAlgorithm, Pair>> = {
  RS256: rsa(),
  PS256: rsa(),
  ES256: ec('P-256'),
  ES384: ec('P-384'),
  EdDSA: generateKeyPairSync('ed25519'),
}

/** Signed by the library, which is the reference. */
const signed = (alg: string, key: KeyObject, payload = 'a text') =>
  new CompactSign(new TextEncoder().encode(payload)).setProtectedHeader({ alg }).sign(key)

/** With the signature's bytes changed. */
function withSignature(jws: string, change: (signature: Buffer) => Buffer): string {
  const end = jws.lastIndexOf('.')
  const signature = Buffer.from(jws.slice(end + 1), 'base64url')
  return `${jws.slice(0, end)}.${change(signature).toString('base64url')}`
}

describe('a signature', () => {
  for (const [alg, { publicKey, privateKey }] of Object.entries(PAIRS)) {
    const algorithm = alg as SignatureAlgorithm

    test(`of ${alg} is verified, and not once anything is changed`, async () => {
      const jws = await signed(alg, privateKey)
      const changed: Readonly<Record<string, string>> = {
        'a bit': withSignature(jws, (signature) => {
          signature[5] = (signature[5] ?? 0) ^ 1
          return signature
        }),
        'a byte less': withSignature(jws, (signature) => signature.subarray(1)),
        'a byte more': withSignature(jws, (signature) => Buffer.concat([Buffer.alloc(1), signature])),
        'all zeros': withSignature(jws, (signature) => Buffer.alloc(signature.length)),
        'another text': jws.replace('.', '.QQ'),
        'another key': await signed(alg, alg === 'RS256' ? rsa().privateKey : otherOf(algorithm).privateKey),
      }

      assert.equal(verifyJws(algorithm, publicKey, jws), true)
      for (const [name, text] of Object.entries(changed)) {
        assert.equal(verifyJws(algorithm, publicKey, text), false, name)
      }
    })

    test(`of ${alg} is looked at only with a key that suits it`, async () => {
      const jws = await signed(alg, privateKey)
      const others = Object.entries(PAIRS).filter(
        ([, pair]) =>
          pair.publicKey.asymmetricKeyType !== publicKey.asymmetricKeyType ||
          pair.publicKey.asymmetricKeyDetails?.namedCurve !== publicKey.asymmetricKeyDetails?.namedCurve,
      )

      assert.ok(others.length >= 3)
      for (const [, pair] of others) {
        assert.throws(() => verifyJws(algorithm, pair.publicKey, jws), /does not suit/)
      }
    })
  }

  test('of RSA with a key of 1024 bits is not looked at', () => {
    assert.throws(() => verifyJws('RS256', rsa(1024).publicKey, 'e30.e30.AAAA'), /does not suit/)
  })

  test('with RS256 is not one with PS256, nor the other way round', async () => {
    const { publicKey, privateKey } = PAIRS.RS256

    assert.equal(verifyJws('PS256', publicKey, await signed('RS256', privateKey)), false)
    assert.equal(verifyJws('RS256', publicKey, await signed('PS256', privateKey)), false)
  })
})

test('what is signed is verified by the library, whatever the length of its integers', async () => {
  const { publicKey, privateKey } = PAIRS.ES256
  const header = Buffer.from(JSON.stringify({ alg: 'ES256' })).toString('base64url')
  // One integer in 256 is a byte shorter than the others, one in two has a zero in front.
  const jwss = Array.from({ length: 1500 }, (_, n) =>
    signJws(privateKey, `${header}.${Buffer.from(`text ${n}`).toString('base64url')}`),
  )

  const short = jwss.filter((jws) => /^A[A-P]|^.{42}[AEIMQUYcgkosw048]A/.test(jws.split('.')[2] ?? ''))
  assert.ok(short.length > 0, 'no short integer came up')
  for (const jws of jwss) await compactVerify(jws, publicKey, { algorithms: ['ES256'] })
})

function otherOf(algorithm: SignatureAlgorithm): Pair {
  if (algorithm === 'EdDSA') return generateKeyPairSync('ed25519')
  if (algorithm === 'PS256') return rsa()
  return ec(algorithm === 'ES256' ? 'P-256' : 'P-384')
}
