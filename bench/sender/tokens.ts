import { generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import { promisify } from 'node:util'
import { type Claims, gitlabClaims } from '../../test/support/gitlab-claims.ts'

/** Job tokens, signed before they are needed; each can be used once. */
export type Tokens = {
  readonly issuerUrl: string
  readonly publicJwk: Readonly<Record<string, unknown>>
  /** Signs until there are so many. */
  ensure(count: number): Promise<void>
  at(index: number): string | undefined
  /** A token of a new job whose signature is not that of its issuer. */
  forged(): string
}

const KEY_ID = 'bench'
/** As old as a token may become. */
const LIFETIME_SECONDS = 86_400
/** Node signs in its own threads, as many at a time as there are. */
const SIGNED_AT_ONCE = 64
const FORGED_SIGNATURE = Buffer.alloc(256, 0x5a).toString('base64url')

const signInThread = promisify<string, Buffer, import('node:crypto').KeyObject, Buffer>(sign)

/**
 * An issuer whose keys are registered with the service, so that nothing is fetched while it is measured. `claimsOf`:
 * what tells the tokens apart, beside their jobs.
 */
export function createTokens(
  issuerUrl = 'https://gitlab.example.com',
  claimsOf: () => Claims = () => ({}),
): Tokens {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  // Outside of the heap: a long run takes a million of them.
  const signed: Buffer[] = []

  async function signOne(): Promise<void> {
    const unsigned = unsignedToken(issuerUrl, claimsOf())
    const signature = await signInThread('sha256', Buffer.from(unsigned), privateKey)
    signed.push(Buffer.from(`${unsigned}.${signature.toString('base64url')}`))
  }

  return {
    issuerUrl,
    publicJwk: { ...publicKey.export({ format: 'jwk' }), kid: KEY_ID, use: 'sig', alg: 'RS256' },
    async ensure(count) {
      while (signed.length < count) {
        const missing = Math.min(SIGNED_AT_ONCE, count - signed.length)
        await Promise.all(Array.from({ length: missing }, signOne))
      }
    },
    at: (index) => signed[index]?.toString('latin1'),
    forged: () => `${unsignedToken(issuerUrl, {})}.${FORGED_SIGNATURE}`,
  }
}

function unsignedToken(issuerUrl: string, own: Claims): string {
  const issuedAt = Math.floor(Date.now() / 1000)
  const claims = {
    ...gitlabClaims('18.9', { job_id: String(Math.floor(Math.random() * 1e9)), ...own }),
    iss: issuerUrl,
    aud: issuerUrl,
    iat: issuedAt,
    nbf: issuedAt - 5,
    exp: issuedAt + LIFETIME_SECONDS,
    jti: randomUUID(),
  }
  return `${encode({ alg: 'RS256', kid: KEY_ID, typ: 'JWT' })}.${encode(claims)}`
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url')
}
