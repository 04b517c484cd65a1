import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'

type Part = Readonly<Record<string, unknown>>

export type Front = {
  readonly url: string
  /** How often the keys were asked for. */
  keyRequests(): number
  /** The token with these changes, signed by the key that only this set has; what is undefined is left out. */
  resign(token: string, claims?: Part, header?: Part): string
  /** The same with HS256, the public key for a secret: what a verifier takes that lets the token choose. */
  resignWithPublicKey(token: string): string
  close(): Promise<void>
}

const KEY_ID = 'of-the-test'

/** Stands before claimgate and adds a key to its set, so that tokens can be had that it would never sign. */
export async function startFront(claimgateUrl: () => string): Promise<Front> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid: KEY_ID, alg: 'ES256', use: 'sig' }
  let keyRequests = 0
  const server = await listen(async (request, response) => {
    const body = Buffer.concat(await request.toArray())
    const { authorization, 'content-type': type } = request.headers
    const answer = await fetch(`${claimgateUrl()}${request.url}`, {
      method: request.method ?? 'GET',
      headers: { ...(authorization && { authorization }), ...(type && { 'content-type': type }) },
      ...(body.length > 0 && { body }),
    })
    response.statusCode = answer.status
    for (const name of ['content-type', 'cache-control'])
      response.setHeader(name, answer.headers.get(name) ?? '')
    if (request.url !== '/.well-known/jwks.json') return void response.end(await answer.text())
    keyRequests += 1
    const { keys } = (await answer.json()) as { readonly keys: readonly object[] }
    response.end(JSON.stringify({ keys: [...keys, jwk] }))
  })
  return {
    ...server,
    keyRequests: () => keyRequests,
    resign(token, claims = {}, header = {}) {
      const input = signingInput(token, claims, { kid: KEY_ID, ...header })
      const key = { key: privateKey, dsaEncoding: 'ieee-p1363' } as const
      return `${input}.${sign('sha256', Buffer.from(input), key).toString('base64url')}`
    },
    resignWithPublicKey(token) {
      const input = signingInput(token, {}, { kid: KEY_ID, alg: 'HS256' })
      const secret = publicKey.export({ format: 'pem', type: 'spki' })
      return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
    },
  }
}

/** A service behind a proxy: tells what the proxy told it. */
export function startBackend(): Promise<{ readonly url: string; close(): Promise<void> }> {
  return listen((request, response) => {
    const { 'x-workload': workload, 'x-workload-roles': roles } = request.headers
    response.end(JSON.stringify({ workload, roles }))
  })
}

export function encodePart(part: Part): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url')
}

export function decodePart(part: string): Part {
  return JSON.parse(Buffer.from(part, 'base64url').toString())
}

function signingInput(token: string, claims: Part, header: Part): string {
  const [ownHeader = '', ownClaims = ''] = token.split('.')
  return [
    { ...decodePart(ownHeader), ...header },
    { ...decodePart(ownClaims), ...claims },
  ]
    .map(encodePart)
    .join('.')
}

async function listen(listener: RequestListener) {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
