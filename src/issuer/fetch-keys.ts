import { isJsonObject } from '../json.ts'
import { FetchError } from './fetch-error.ts'
import type { FetchJson } from './guarded-fetch.ts'
import { type Jwks, readJwks } from './jwks.ts'

const TIMEOUT_MS = 5_000 // for both documents, so that an exchange of 8 s has time left to decide and record

/**
 * Fetches an issuer's keys by OpenID Connect Discovery 1.0 (section 4). Throws `FetchError`: also for documents
 * that speak of another issuer or origin, or hold no key to verify with.
 */
export async function fetchKeys(
  fetchJson: FetchJson,
  issuerUrl: string,
): Promise<{ readonly keys: Jwks; readonly maxAgeSeconds: number | undefined }> {
  const signal = AbortSignal.timeout(TIMEOUT_MS)
  const discoveryUrl = `${issuerUrl.replace(/\/$/, '')}/.well-known/openid-configuration`
  const { body: metadata } = await fetchJson(discoveryUrl, issuerUrl, signal)
  if (!isJsonObject(metadata)) throw new FetchError('discovery', 'not an object')
  if (metadata.issuer !== issuerUrl) throw new FetchError('issuer', 'another issuer')
  const jwksUri = metadata.jwks_uri
  if (typeof jwksUri !== 'string') throw new FetchError('discovery', 'no jwks_uri')

  const { body, maxAgeSeconds } = await fetchJson(jwksUri, issuerUrl, signal)
  const jwks = readJwks(body)
  if (!jwks.ok) throw new FetchError('keys', jwks.problem)
  return { keys: jwks.keys, maxAgeSeconds }
}
