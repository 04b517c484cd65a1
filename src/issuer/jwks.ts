import { createPublicKey, type JsonWebKey } from 'node:crypto'
import { isJsonObject, type JsonObject, type JsonValue } from '../json.ts'
import { isSafeEd25519Point } from './ed25519-point.ts'
import type { SignatureAlgorithm } from './issuer.ts'
import type { VerificationKey } from './key-lookup.ts'

/** A key of a set: by algorithm what verifies with it, or why nothing may. */
export type PublishedKey =
  | { readonly usable: true; readonly byAlgorithm: ReadonlyMap<SignatureAlgorithm, VerificationKey> }
  | { readonly usable: false; readonly problem: string }

/** Keys by kid; a key without a kid cannot be asked for and is left out. */
export type Jwks = ReadonlyMap<string, PublishedKey>

type ReadKeys = { readonly ok: true; readonly keys: Jwks } | { readonly ok: false; readonly problem: string }

const MAX_KEYS = 100
const MAX_TEXT_LENGTH = 255
const KID = `kid of 1 to ${MAX_TEXT_LENGTH} characters`
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']

/** Reads a JWK set (RFC 7517). Keys that nothing may be verified with are kept with the reason; no keys at all is a problem. */
export function readJwks(jwks: unknown): ReadKeys {
  const list = keyList(jwks)
  if (typeof list === 'string') return { ok: false, problem: list }
  const keys = new Map<string, PublishedKey>()
  for (const jwk of list) {
    const kid = keyIdOf(jwk)
    if (kid === undefined) continue
    keys.set(kid, keys.has(kid) ? { usable: false, problem: 'has a kid that stands twice' } : readKey(jwk))
  }
  if (keys.size > 0) return { ok: true, keys }
  return { ok: false, problem: list.length === 0 ? 'has no keys' : `has no key with a ${KID}` }
}

export function hasUsableKey(keys: Jwks): boolean {
  return [...keys.values()].some((key) => key.usable)
}

/**
 * Says what keeps a JWK set from being saved as static keys: not being one, or a secret in it, which must not be kept
 * here. Keys that are only unusable are skipped, as a fetched set's are.
 */
export function validateJwks(jwks: unknown): string | undefined {
  const list = keyList(jwks)
  if (typeof list === 'string') return list
  const read = readJwks(jwks)
  if (!read.ok) return read.problem
  for (const [index, jwk] of list.entries()) {
    const secret = secretProblem(jwk)
    if (secret !== undefined) return `has the key ${nameOf(jwk, index)}, which ${secret}`
  }
  return undefined
}

/** What may be kept of a set that is given as static keys: the members that make a public key, and no others. */
export function publicMembersOf(jwks: { readonly keys: readonly JsonObject[] }): { keys: JsonObject[] } {
  const kept = ({ kty, crv, n, e, x, y, kid, use, alg, key_ops }: JsonObject): JsonObject =>
    // JSON leaves out what is undefined.
    JSON.parse(JSON.stringify({ kty, crv, n, e, x, y, kid, use, alg, key_ops }))
  return { keys: jwks.keys.map(kept) }
}

/** Which keys of a set will never verify a token of these algorithms, and why: a sentence each. */
export function describeUnusedKeys(
  jwks: unknown,
  algorithms: readonly SignatureAlgorithm[],
): readonly string[] {
  const list = keyList(jwks)
  const read = readJwks(jwks)
  if (typeof list === 'string') return []
  return list.flatMap((jwk, index) => {
    const kid = keyIdOf(jwk)
    const key = kid === undefined || !read.ok ? undefined : read.keys.get(kid)
    const problem = unusedProblem(key, algorithms)
    return problem === undefined ? [] : [`The key ${nameOf(jwk, index)} is not used: it ${problem}.`]
  })
}

function unusedProblem(
  key: PublishedKey | undefined,
  algorithms: readonly SignatureAlgorithm[],
): string | undefined {
  if (key === undefined) return `has no ${KID}`
  if (!key.usable) return key.problem
  return algorithms.some((name) => key.byAlgorithm.has(name))
    ? undefined
    : `suits none of ${algorithms.join(', ')}`
}

function keyList(jwks: unknown): readonly JsonValue[] | string {
  const list = isJsonObject(jwks) ? jwks.keys : undefined
  if (!Array.isArray(list)) return 'is not a JWK set: an object with a list of keys'
  return list.length > MAX_KEYS ? `has more than ${MAX_KEYS} keys` : list
}

function keyIdOf(jwk: JsonValue): string | undefined {
  const kid = isJsonObject(jwk) ? jwk.kid : undefined
  return typeof kid === 'string' && kid !== '' && kid.length <= MAX_TEXT_LENGTH ? kid : undefined
}

function nameOf(jwk: JsonValue, index: number): string {
  const kid = keyIdOf(jwk)
  return kid !== undefined && /^[\w.:=+/-]+$/.test(kid) ? kid : `number ${index + 1}`
}

function readKey(jwk: JsonValue): PublishedKey {
  if (!isJsonObject(jwk)) return unusable('is not an object')
  const secret = secretProblem(jwk)
  if (secret !== undefined) return unusable(secret)
  if (Object.hasOwn(jwk, 'use') && jwk.use !== 'sig') return unusable('is not for signatures (use)')
  if (!mayVerify(jwk.key_ops)) return unusable('is not for verifying (key_ops)')

  const kind = KINDS.find(({ kty, crv }) => kty === jwk.kty && crv === jwk.crv)
  if (kind === undefined) return unusable('is of a kind that no accepted algorithm uses (kty, crv)')
  const algorithms = kind.algorithms.filter((name) => !Object.hasOwn(jwk, 'alg') || jwk.alg === name)
  if (algorithms.length === 0) return unusable('is for an algorithm that is not accepted (alg)')
  const weakness = kind.findWeakness(jwk)
  return weakness === undefined ? importKey(jwk, kind, algorithms) : unusable(weakness)
}

function secretProblem(jwk: JsonValue): string | undefined {
  if (!isJsonObject(jwk)) return undefined
  if (jwk.kty === 'oct') return 'is a shared secret (kty oct); only public keys are accepted'
  const secret = PRIVATE_MEMBERS.find((name) => Object.hasOwn(jwk, name))
  return secret === undefined
    ? undefined
    : `is private (it has the member ${secret}); only public keys are accepted`
}

function unusable(problem: string): PublishedKey {
  return { usable: false, problem }
}

function mayVerify(operations: JsonValue | undefined): boolean {
  return operations === undefined || (Array.isArray(operations) && operations.includes('verify'))
}

type Kind = {
  readonly kty: string
  readonly crv?: string
  readonly members: readonly string[]
  readonly algorithms: readonly SignatureAlgorithm[]
  readonly findWeakness: (jwk: JsonObject) => string | undefined
}

const noWeakness = () => undefined // that the point lies on the curve is checked by the import

const KINDS: readonly Kind[] = [
  { kty: 'RSA', members: ['n', 'e'], algorithms: ['RS256', 'PS256'], findWeakness: rsaWeakness },
  { kty: 'EC', crv: 'P-256', members: ['x', 'y'], algorithms: ['ES256'], findWeakness: noWeakness },
  { kty: 'EC', crv: 'P-384', members: ['x', 'y'], algorithms: ['ES384'], findWeakness: noWeakness },
  { kty: 'OKP', crv: 'Ed25519', members: ['x'], algorithms: ['EdDSA'], findWeakness: ed25519Weakness },
]

/** With e = 1 every signature is a forgery away; larger ones than FIPS 186-5 allows only cost time. */
function rsaWeakness(jwk: JsonObject): string | undefined {
  const modulus = integerOf(jwk.n)
  const exponent = integerOf(jwk.e)
  if (modulus === undefined || exponent === undefined) return 'is malformed'
  const bits = modulus.toString(2).length
  if (bits < 2048 || bits > 8192) return `is an RSA key of ${bits} bits; 2048 to 8192 are accepted`
  if (modulus % 2n === 0n) return 'is an RSA key with an even modulus'
  const isGood = exponent >= 65_537n && exponent % 2n === 1n && exponent < 2n ** 256n
  return isGood ? undefined : 'is an RSA key with a weak exponent (e must be odd and at least 65537)'
}

function ed25519Weakness(jwk: JsonObject): string | undefined {
  const bytes = bytesOf(jwk.x)
  if (bytes?.length !== 32) return 'is malformed'
  return isSafeEd25519Point(bytes) ? undefined : 'is no safe point of its curve'
}

function integerOf(value: JsonValue | undefined): bigint | undefined {
  const bytes = bytesOf(value)
  return bytes === undefined || bytes.length === 0 ? undefined : BigInt(`0x${bytes.toString('hex')}`)
}

function bytesOf(value: JsonValue | undefined): Buffer | undefined {
  if (typeof value !== 'string' || !/^[A-Za-z0-9_-]+$/.test(value)) return undefined
  return Buffer.from(value, 'base64url')
}

/** Gives the platform only the members that make the key, so that no other one changes what it means. */
function importKey(jwk: JsonObject, kind: Kind, algorithms: readonly SignatureAlgorithm[]): PublishedKey {
  const members = ['kty', 'crv', ...kind.members].filter((name) => Object.hasOwn(jwk, name))
  const bare: JsonWebKey = Object.fromEntries(members.map((name) => [name, jwk[name]]))
  try {
    const key = createPublicKey({ key: bare, format: 'jwk' })
    return { usable: true, byAlgorithm: new Map(algorithms.map((name) => [name, key])) }
  } catch {
    return unusable('is malformed, or no point of its curve')
  }
}
