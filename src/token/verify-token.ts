import { hash } from 'node:crypto'
import type { Clock } from '../clock.ts'
import { RequestError } from '../errors.ts'
import type { Issuer, SignatureAlgorithm } from '../issuer/issuer.ts'
import type { KeyLookup, VerificationKey } from '../issuer/key-lookup.ts'
import type { JsonObject, JsonValue } from '../json.ts'
import { checkClaims, type RegisteredClaims } from './check-claims.ts'
import { checkHeader } from './check-header.ts'
import { checkTimes, type TimeRules } from './check-times.ts'
import { findControlCharacter } from './control-character.ts'
import { readUnverifiedToken } from './read-unverified-token.ts'
import type { TokenProblem, TokenReason } from './token-reason.ts'

export type VerifyTokenDeps = TimeRules & {
  readonly clock: Clock
  /** By exact code points; the state does not matter here. */
  findIssuer(issuerUrl: string): Promise<Issuer | undefined>
  findKey(issuer: Issuer, keyId: string, algorithm: SignatureAlgorithm): Promise<KeyLookup>
  /** Whether a compact JWS is signed by this key, which suits the algorithm; rejects where the key cannot be used. */
  verifySignature(algorithm: SignatureAlgorithm, key: VerificationKey, token: string): Promise<boolean>
}

declare const verified: unique symbol

/** Claims whose signature, types and times were checked. Only `verifyToken` makes them. */
export type VerifiedClaims = JsonObject & RegisteredClaims & { readonly [verified]: true }

export type VerifiedToken = {
  readonly verified: true
  readonly claims: VerifiedClaims
  readonly issuer: Issuer
  readonly keyId: string
  /** SHA-256 of the token's text, lower-case hex. */
  readonly tokenHash: string
  /** SHA-256 of jti, lower-case hex: with the issuer, what a second use is known by. */
  readonly jtiHash: string
  /** Seconds since the epoch; with the clocks' tolerance added, the token is refused from then on. */
  readonly replayableUntil: number
}

/** `claims` only where the signature was verified; `issuer` only where it is registered and active. */
export type TokenRefusal = {
  readonly verified: false
  readonly reason: TokenReason
  /** The reason in plain words for a job's log. */
  readonly message: string
  readonly outcome: 'DENIED' | 'FAILED'
  readonly tokenHash: string
  readonly issuer?: Issuer
  readonly claims?: JsonObject
  readonly keyId?: string
}

const MAX_ISSUER_LENGTH = 255
const KEEP_USED_SECONDS = 86_400 // used tokens are remembered for a day after iat, the largest age there is

/**
 * Verifies a CI job's ID token (a compact JWS, RFC 7515, with the claims of RFC 7519). A bad token of any kind is
 * a refusal with the first reason that applies; only a fault of what `deps` asks throws.
 */
export async function verifyToken(
  deps: VerifyTokenDeps,
  token: string,
): Promise<VerifiedToken | TokenRefusal> {
  const tokenHash = sha256(token)
  const unverified = readUnverifiedToken(token)
  if (!unverified.ok) return refusal(tokenHash, { reason: 'token_malformed', message: unverified.message })

  const { unverifiedHeader, unverifiedClaims } = unverified
  const issuer = await findActiveIssuer(deps, unverifiedClaims.iss)
  const header = checkHeader(unverifiedHeader, issuer)
  if (!header.ok) return refusal(tokenHash, header.problem, issuer && { issuer })
  if (issuer === undefined) return refusal(tokenHash, unknownIssuer(unverifiedClaims.iss))

  const keyId = unverifiedHeader.kid
  if (typeof keyId !== 'string' || keyId === '') return refusal(tokenHash, NO_KEY_ID, { issuer })
  const lookup = await deps.findKey(issuer, keyId, header.algorithm)
  if (!lookup.found) return refusal(tokenHash, lookup, { issuer })
  const signatureProblem = await checkSignature(deps, token, lookup.key, header.algorithm)
  if (signatureProblem !== undefined) return refusal(tokenHash, signatureProblem, { issuer, keyId })

  const known = { issuer, keyId, claims: unverifiedClaims }
  const claimsProblem = checkClaims(unverifiedClaims, unverified.hasNonFiniteNumber)
  if (claimsProblem !== undefined) {
    return refusal(tokenHash, { reason: 'token_claims', message: claimsProblem }, known)
  }
  const claims = unverifiedClaims as VerifiedClaims
  const timeProblem = checkTimes(claims, deps.clock() / 1000, deps)
  if (timeProblem !== undefined) return refusal(tokenHash, timeProblem, known)
  return {
    verified: true,
    claims,
    issuer,
    keyId,
    tokenHash,
    jtiHash: sha256(claims.jti),
    replayableUntil: Math.min(claims.exp, claims.iat + KEEP_USED_SECONDS),
  }
}

const BAD_SIGNATURE: TokenProblem = {
  reason: 'token_signature',
  message: "The token's signature is not that of its issuer.",
}
const NO_KEY_ID: TokenProblem = {
  reason: 'token_key',
  message: "The token's header names no key (kid).",
}

/** The unverified issuer chooses among the registered ones and does nothing else. */
async function findActiveIssuer(
  deps: VerifyTokenDeps,
  issuerUrl: JsonValue | undefined,
): Promise<Issuer | undefined> {
  if (typeof issuerUrl !== 'string' || issuerUrl === '' || issuerUrl.length > MAX_ISSUER_LENGTH)
    return undefined
  if (findControlCharacter(issuerUrl) !== undefined) return undefined
  const issuer = await deps.findIssuer(issuerUrl)
  return issuer?.state === 'ACTIVE' && issuer.issuerUrl === issuerUrl ? issuer : undefined
}

function unknownIssuer(issuerUrl: JsonValue | undefined): TokenProblem {
  if (typeof issuerUrl !== 'string') {
    return { reason: 'token_issuer', message: "The token's claim iss is missing or not a string." }
  }
  const isPlainUrl = /^https?:\/\/[A-Za-z0-9.:/_~-]{1,200}$/.test(issuerUrl)
  const name = isPlainUrl ? ` ${issuerUrl}` : ''
  return {
    reason: 'token_issuer',
    message: `The token's issuer${name} is not registered here, or is disabled.`,
  }
}

async function checkSignature(
  deps: VerifyTokenDeps,
  token: string,
  key: VerificationKey,
  algorithm: SignatureAlgorithm,
): Promise<TokenProblem | undefined> {
  try {
    return (await deps.verifySignature(algorithm, key, token)) ? undefined : BAD_SIGNATURE
  } catch (error) {
    if (error instanceof RequestError) throw error
    return { reason: 'token_key', message: "The token's key cannot be used." }
  }
}

function refusal(
  tokenHash: string,
  { reason, message }: TokenProblem,
  known: Pick<TokenRefusal, 'issuer' | 'keyId' | 'claims'> = {},
): TokenRefusal {
  const outcome = reason === 'issuer_unavailable' ? 'FAILED' : 'DENIED'
  return { verified: false, reason, message, outcome, tokenHash, ...known }
}

function sha256(text: string): string {
  return hash('sha256', text, 'hex')
}
