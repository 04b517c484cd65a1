import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { promisify } from 'node:util'
import { brotliDecompress, gunzip, inflate } from 'node:zlib'
import { Client, type Dispatcher } from 'undici'
import { decodeUtf8, type JsonValue, parseJsonStrictly } from '../json.ts'
import { type Address, createCheckedConnector } from './checked-connector.ts'
import { FetchError } from './fetch-error.ts'
import { checkFetchUrl } from './issuer-url.ts'
import { isPublicAddress } from './public-address.ts'

/** `maxAgeSeconds` is that of Cache-Control, if the answer gives one. */
export type FetchedJson = { readonly body: JsonValue; readonly maxAgeSeconds?: number }

/** Gives the JSON behind `url`, which belongs to an issuer; `signal` ends the wait. Throws `FetchError`. */
export type FetchJson = (url: string, issuerUrl: string, signal: AbortSignal) => Promise<FetchedJson>

const MAX_BYTES = 256 * 1024
const JSON_LIMITS = { maxDepth: 32, maxMembers: 20_000 }

/**
 * Makes the only way by which we fetch what others name: https to a public address that was resolved once and checked
 * before the connection and after it, no redirects, no proxies, bounded in size. What `privateIssuers` lists
 * may be http and anywhere.
 */
export function createGuardedFetch(options: { readonly privateIssuers: readonly string[] }): FetchJson {
  return async (url, issuerUrl, signal) => {
    const isPrivate = options.privateIssuers.includes(issuerUrl)
    const problem = checkFetchUrl(url, isPrivate)
    if (problem !== undefined) throw new FetchError('url', problem)
    const target = new URL(url)
    if (target.origin !== URL.parse(issuerUrl)?.origin)
      throw new FetchError('url', 'another origin than the issuer')

    try {
      const addresses = await unlessAborted(resolve(target.hostname, isPrivate), signal)
      return await fetchFrom(target, addresses, signal)
    } catch (error) {
      throw toFetchError(error, signal)
    }
  }
}

/** Resolves a host name or literal; one address that is not public condemns all of them. */
async function resolve(hostname: string, isPrivate: boolean): Promise<readonly Address[]> {
  const host = hostname.replace(/^\[(.*)\]$/, '$1')
  const family = isIP(host)
  const addresses = family === 0 ? await lookup(host, { all: true }) : [{ address: host, family }]
  const refused = isPrivate ? undefined : addresses.find(({ address }) => !isPublicAddress(address))
  if (refused !== undefined) throw new FetchError('address', refused.address)
  return addresses
}

async function fetchFrom(
  target: URL,
  addresses: readonly Address[],
  signal: AbortSignal,
): Promise<FetchedJson> {
  const client = new Client(target.origin, { connect: createCheckedConnector(addresses), pipelining: 1 })
  try {
    const response = await client.request({
      method: 'GET',
      path: target.pathname,
      headers: { accept: 'application/json', 'accept-encoding': 'gzip, deflate, br' },
      signal,
    })
    const { statusCode, headers } = response
    if (statusCode >= 300 && statusCode < 400) throw new FetchError('redirect', statusCode)
    if (statusCode !== 200) throw new FetchError('status', statusCode)
    const body = parseBody(await decompress(await readBody(response), headers['content-encoding']))
    const maxAgeSeconds = maxAgeOf(headers['cache-control'])
    return maxAgeSeconds === undefined ? { body } : { body, maxAgeSeconds }
  } finally {
    // Destroying ends the connection at once, also under a body that never ends.
    await client.destroy()
  }
}

async function readBody(response: Dispatcher.ResponseData): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of response.body) {
    length += chunk.length
    if (length > MAX_BYTES) throw new FetchError('size', 'too many bytes')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

const DECODERS = new Map([
  ['gzip', promisify<Buffer, { maxOutputLength: number }, Buffer>(gunzip)],
  ['deflate', promisify<Buffer, { maxOutputLength: number }, Buffer>(inflate)],
  ['br', promisify<Buffer, { maxOutputLength: number }, Buffer>(brotliDecompress)],
])

async function decompress(bytes: Buffer, encoding: string | string[] | undefined): Promise<Buffer> {
  if (encoding === undefined || encoding === 'identity') return bytes
  const decode = typeof encoding === 'string' ? DECODERS.get(encoding.toLowerCase()) : undefined
  if (decode === undefined) throw new FetchError('json', 'an unknown content encoding')
  try {
    return await decode(bytes, { maxOutputLength: MAX_BYTES })
  } catch (error) {
    throw new FetchError(codeOf(error) === 'ERR_BUFFER_TOO_LARGE' ? 'size' : 'json', error)
  }
}

function parseBody(bytes: Buffer): JsonValue {
  const text = decodeUtf8(bytes)
  if (text === undefined) throw new FetchError('json', 'not UTF-8')
  const json = parseJsonStrictly(text, JSON_LIMITS)
  if (!json.ok) throw new FetchError('json', json.problem)
  return json.value
}

function maxAgeOf(header: string | string[] | undefined): number | undefined {
  const seconds = /(?:^|[\s,])max-age="?(\d{1,9})(?!\d)/i.exec([header ?? ''].flat().join(','))?.[1]
  return seconds === undefined ? undefined : Number(seconds)
}

/** The resolver cannot be stopped, but nobody waits for it longer than the signal says. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>()
  const abort = () => aborted.reject(signal.reason)
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort, { once: true })
  return Promise.race([work, aborted.promise]).finally(() => signal.removeEventListener('abort', abort))
}

function toFetchError(error: unknown, signal: AbortSignal): FetchError {
  if (error instanceof FetchError) return error
  if (signal.aborted) return new FetchError('timeout', error)
  const code = codeOf(error)
  if (error instanceof Error && 'syscall' in error && error.syscall === 'getaddrinfo')
    return new FetchError('dns', error)
  return new FetchError(
    /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO)/.test(code) ? 'tls' : 'connection',
    error,
  )
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
