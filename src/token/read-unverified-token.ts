import { decodeBase64url } from '../base64url.ts'
import { decodeUtf8, isJsonObject, type JsonObject, parseJsonStrictly } from '../json.ts'

/** What a token says of itself before its signature was looked at: good for choosing a key, and for nothing else. */
export type UnverifiedToken = {
  readonly ok: true
  readonly unverifiedHeader: JsonObject
  readonly unverifiedClaims: JsonObject
  /** A number in the claims is too large for a double, such as 1e400. */
  readonly hasNonFiniteNumber: boolean
}
export type MalformedToken = { readonly ok: false; readonly message: string }

const MAX_TOKEN_LENGTH = 16 * 1024

/** Takes a compact JWS (RFC 7515 section 7.1) apart, refusing each text that two readers could understand differently. */
export function readUnverifiedToken(token: string): UnverifiedToken | MalformedToken {
  if (token.length > MAX_TOKEN_LENGTH) return malformed('it is longer than 16 KiB')
  const parts = token.split('.')
  if (parts.length === 5) return malformed('it has 5 parts, so it is encrypted; a signed token has 3')
  const [headerPart, claimsPart, signaturePart] = parts
  if (
    parts.length !== 3 ||
    headerPart === undefined ||
    claimsPart === undefined ||
    signaturePart === undefined
  ) {
    return malformed('a signed token has 3 parts with dots between them')
  }
  const headerBytes = decodeBase64url(headerPart)
  const claimsBytes = decodeBase64url(claimsPart)
  if (
    headerBytes === undefined ||
    claimsBytes === undefined ||
    decodeBase64url(signaturePart) === undefined
  ) {
    return malformed('one of its parts is empty or not base64url')
  }

  const header = readObject('header', headerBytes)
  if (!header.ok) return header
  const claims = readObject('claims', claimsBytes)
  if (!claims.ok) return claims
  return {
    ok: true,
    unverifiedHeader: header.value,
    unverifiedClaims: claims.value,
    hasNonFiniteNumber: claims.hasNonFiniteNumber,
  }
}

function readObject(
  name: string,
  bytes: Uint8Array,
): { ok: true; value: JsonObject; hasNonFiniteNumber: boolean } | MalformedToken {
  const text = decodeUtf8(bytes)
  if (text === undefined) return malformed(`its ${name} part is not UTF-8`)
  const json = parseJsonStrictly(text)
  if (!json.ok) return malformed(`its ${name} part ${json.problem}`)
  if (!isJsonObject(json.value)) return malformed(`its ${name} part is not a JSON object`)
  return { ok: true, value: json.value, hasNonFiniteNumber: json.hasNonFiniteNumber }
}

function malformed(problem: string): MalformedToken {
  return { ok: false, message: `The token is malformed: ${problem}.` }
}
