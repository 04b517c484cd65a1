import {
  constants,
  createHash,
  createHmac,
  generateKeyPairSync,
  type KeyObject,
  randomUUID,
  sign,
} from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Clock } from '../../src/clock.ts'
import type { Claims } from './gitlab-claims.ts'

export type GitlabOptions = {
  readonly port?: number
  readonly host?: string
  /** Of an instance under a relative URL, such as `/gitlab`. */
  readonly path?: string
  readonly clock: Clock
  /** Which of the process's keys is the first; two look-alikes share their keys unless they differ in it. */
  readonly firstKey?: number
}

/** How a document is answered in place of GitLab's way; `hang` never ends the answer, `hangInBody` begins it. */
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

export type Gitlab = {
  readonly issuerUrl: string
  /** Signs claims as the instance does, adding what it adds: iss, aud (its URL), iat, nbf, exp, jti. */
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

/** Starts a look-alike of a GitLab instance on loopback, with real keys, for tests and for trying out. */
export async function startGitlab(options: GitlabOptions): Promise<Gitlab> {
  const { host = '127.0.0.1', path = '', firstKey = 0 } = options
  let keyIndex = firstKey
  let answers: { readonly discovery?: Behaviour; readonly jwks?: Behaviour } = {}
  const requests = { discovery: 0, jwks: 0 }
  const currentKey = () => signingKey(keyIndex)
  const published = () => (keyIndex === firstKey ? [keyIndex] : [keyIndex, keyIndex - 1]).map(signingKey)

  const server = createServer((request, response) => {
    const document = documentOf(request, path)
    if (document === undefined) return void response.writeHead(404).end()
    requests[document]++
    const body =
      document === 'discovery' ? discoveryDocument(issuerUrl) : { keys: published().map(publicJwk) }
    answer(response, JSON.stringify(body), answers[document] ?? {})
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
      const payload = {
        ...claims,
        ...tokenClaims(issuerUrl, options.clock, claims),
        ...pick(claims, TOKEN_CLAIMS),
      }
      return signJws({ alg: 'RS256', kid: key.kid, typ: 'JWT', ...header }, payload, key.privateKey)
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
const JOB_TIMEOUT_SECONDS = 3600 // GitLab's default for a project

function tokenClaims(issuerUrl: string, clock: Clock, claims: Claims): Claims {
  const iat = typeof claims.iat === 'number' ? claims.iat : Math.floor(clock() / 1000)
  return {
    iss: issuerUrl,
    aud: issuerUrl,
    iat,
    nbf: iat - 5,
    exp: iat + JOB_TIMEOUT_SECONDS,
    jti: randomUUID(),
  }
}

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

function documentOf(request: IncomingMessage, path: string): 'discovery' | 'jwks' | undefined {
  if (request.url === `${path}/.well-known/openid-configuration`) return 'discovery'
  return request.url === `${path}/oauth/discovery/keys` ? 'jwks' : undefined
}

function discoveryDocument(issuerUrl: string): object {
  return {
    issuer: issuerUrl,
    authorization_endpoint: `${issuerUrl}/oauth/authorize`,
    token_endpoint: `${issuerUrl}/oauth/token`,
    revocation_endpoint: `${issuerUrl}/oauth/revoke`,
    introspection_endpoint: `${issuerUrl}/oauth/introspect`,
    userinfo_endpoint: `${issuerUrl}/oauth/userinfo`,
    jwks_uri: `${issuerUrl}/oauth/discovery/keys`,
    scopes_supported: ['api', 'read_api', 'read_user', 'openid', 'profile', 'email'],
    response_types_supported: ['code'],
    response_modes_supported: ['query', 'fragment', 'form_post'],
    grant_types_supported: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
    claim_types_supported: ['normal'],
    claims_supported: [
      'iss',
      'sub',
      'aud',
      'exp',
      'iat',
      'sub_legacy',
      'name',
      'nickname',
      'email',
      'groups_direct',
    ],
    code_challenge_methods_supported: ['plain', 'S256'],
  }
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
