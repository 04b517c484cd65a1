import {
  constants,
  createHash,
  createHmac,
  generateKeyPairSync,
  type KeyObject,
  randomUUID,
  sign,
} from 'node:crypto'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Clock } from '../../src/clock.ts'
import type { Claims } from './gitlab-claims.ts'

export type TokenIssuerOptions = {
  readonly port?: number
  readonly host?: string
  /** Of an issuer under a relative URL, such as `/gitlab`. */
  readonly path?: string
  readonly clock: Clock
  /** Which of the process's keys is the first; two look-alikes share their keys unless they differ in it. */
  readonly firstKey?: number
}

/** How a document is answered in place of the provider's way; `hang` never ends the answer, `hangInBody` begins it. */
export type Behaviour = {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  readonly hang?: boolean
  readonly hangInBody?: boolean
}

export type SigningKey = {
  readonly kid: string
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

export type SignOptions = {
  /** Changes the header `{alg: 'RS256', kid, typ: 'JWT'}`; a member that is undefined is left out. */
  readonly header?: Claims
  readonly key?: SigningKey
}

/** What a provider's issuer does in its own way. */
export type IssuerWays = {
  /** Where its keys are, after its URL. */
  readonly jwksPath: string
  discovery(issuerUrl: string): object
  /** The token's own claims but iss, iat and jti, from its time of issue in seconds. */
  tokenClaims(iat: number, claims: Claims, issuerUrl: string): Claims
  /** What the token's header has beside alg, kid and typ. */
  header(key: SigningKey): Claims
  /** What else it answers, under its URL; undefined where it has nothing there. */
  answer?(path: string, headers: IncomingHttpHeaders): string | undefined
}

export type TokenIssuer = {
  readonly issuerUrl: string
  /** Signs claims as the issuer does, adding what it adds: iss, aud, iat, nbf, exp, jti. */
  signToken(claims?: Claims, options?: SignOptions): string
  /** The key that signs now. */
  readonly key: SigningKey
  /** Publishes a new key that signs from now on, beside the last one; returns it. */
  rotateKeys(): SigningKey
  /** Changes how the documents are answered; without arguments all is well again. */
  behave(answers?: { readonly discovery?: Behaviour; readonly jwks?: Behaviour }): void
  /** How often which document was asked for. */
  readonly requests: { readonly discovery: number; readonly jwks: number }
  close(): Promise<void>
}

/** Starts a look-alike of a provider's issuer on loopback, with real keys, for tests and for trying out. */
export async function startTokenIssuer(options: TokenIssuerOptions, ways: IssuerWays): Promise<TokenIssuer> {
  const { host = '127.0.0.1', path = '', firstKey = 0 } = options
  let keyIndex = firstKey
  let answers: { readonly discovery?: Behaviour; readonly jwks?: Behaviour } = {}
  const requests = { discovery: 0, jwks: 0 }
  const currentKey = () => signingKey(keyIndex)
  const published = () => (keyIndex === firstKey ? [keyIndex] : [keyIndex, keyIndex - 1]).map(signingKey)

  const server = createServer((request, response) => {
    const asked = (request.url ?? '').slice(path.length)
    const document = [DISCOVERY_PATH, ways.jwksPath].indexOf(asked)
    if (!request.url?.startsWith(path) || document < 0) {
      const text = request.url?.startsWith(path) ? ways.answer?.(asked, request.headers) : undefined
      return void (text === undefined ? response.writeHead(404).end() : answer(response, text, {}))
    }
    const name = document === 0 ? 'discovery' : 'jwks'
    requests[name]++
    const body = name === 'discovery' ? ways.discovery(issuerUrl) : { keys: published().map(publicJwk) }
    answer(response, JSON.stringify(body), answers[name] ?? {})
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(options.port ?? 0, host, resolve)
  })
  const issuerUrl = `http://${host}:${(server.address() as AddressInfo).port}${path}`

  return {
    issuerUrl,
    requests,
    get key() {
      return currentKey()
    },
    signToken(claims = {}, { header = {}, key = currentKey() } = {}) {
      const iat = typeof claims.iat === 'number' ? claims.iat : Math.floor(options.clock() / 1000)
      const own = { iss: issuerUrl, iat, jti: randomUUID(), ...ways.tokenClaims(iat, claims, issuerUrl) }
      const payload = { ...claims, ...own, ...pick(claims, TOKEN_CLAIMS) }
      const usual = { alg: 'RS256', kid: key.kid, typ: 'JWT', ...ways.header(key) }
      return signJws({ ...usual, ...header }, payload, key.privateKey)
    },
    rotateKeys() {
      keyIndex++
      return currentKey()
    },
    behave(changed = {}) {
      answers = changed
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/**
 * Signs by hand what a library would refuse to. Header and payload are JSON text, or values that become it; the
 * algorithm is the header's unless it is given. A secret (text) signs HS256; `none` leaves the signature empty.
 */
export function signJws(
  header: Claims | string,
  payload: Claims | string,
  key: KeyObject | string,
  algorithm: unknown = typeof header === 'string' ? 'RS256' : header.alg,
): string {
  const signed = `${encode(header)}.${encode(payload)}`
  return `${signed}.${signatureOf(Buffer.from(signed), key, algorithm).toString('base64url')}`
}

export function publicJwk({ kid, publicKey }: SigningKey): Claims {
  const { kty, e, n } = publicKey.export({ format: 'jwk' })
  return { kty, kid, e, n, use: 'sig', alg: 'RS256' }
}

const TOKEN_CLAIMS = ['iss', 'aud', 'iat', 'nbf', 'exp', 'jti']
const DISCOVERY_PATH = '/.well-known/openid-configuration'

function pick(claims: Claims, names: readonly string[]): Claims {
  return Object.fromEntries(
    names.filter((name) => Object.hasOwn(claims, name)).map((name) => [name, claims[name]]),
  )
}

const keyPool: SigningKey[] = [] // making a key takes longer than most tests

function signingKey(index: number): SigningKey {
  const known = keyPool[index]
  if (known !== undefined) return known
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const { e, kty, n } = publicKey.export({ format: 'jwk' })
  const kid = createHash('sha256').update(JSON.stringify({ e, kty, n })).digest('base64url') // RFC 7638
  keyPool[index] = { kid, privateKey, publicKey }
  return keyPool[index]
}

function answer(response: ServerResponse, document: string, behaviour: Behaviour): void {
  if (behaviour.hang) return
  response.writeHead(behaviour.status ?? 200, {
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'max-age=0, private, must-revalidate',
    ...behaviour.headers,
  })
  if (behaviour.hangInBody) response.write(document.slice(0, 10))
  else response.end(behaviour.body ?? document)
}

function encode(part: Claims | string): string {
  return Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url')
}

function signatureOf(data: Buffer, key: KeyObject | string, algorithm: unknown): Buffer {
  if (algorithm === 'none') return Buffer.alloc(0)
  if (typeof key === 'string') return createHmac('sha256', key).update(data).digest()
  switch (key.asymmetricKeyType) {
    case 'ec':
      return sign(algorithm === 'ES384' ? 'sha384' : 'sha256', data, { key, dsaEncoding: 'ieee-p1363' })
    case 'ed25519':
      return sign(null, data, key)
    default:
      if (algorithm !== 'PS256') return sign('sha256', data, key)
      return sign('sha256', data, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 })
  }
}
