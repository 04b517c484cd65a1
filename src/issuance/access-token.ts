import type { KeyObject } from 'node:crypto'
import type { AllowedDecision, ProjectRoles, Recorded } from '../decision/decision.ts'
import { unavailable } from '../errors.ts'
import { SIGNING_ALGORITHM } from './signing-key.ts'
import type { SigningKeys } from './signing-keys.ts'

/** RFC 9068 §2.1. */
export const ACCESS_TOKEN_TYPE = 'at+jwt'

export type IssuedToken = {
  readonly accessToken: string
  readonly expiresIn: number
  readonly decisionId: string
}

/**
 * Signs the access token (RFC 9068) of an allowed decision whose row is committed; its `jti` is the decision's id.
 * Throws `unavailable` where the key that the decision names was taken away since.
 */
export async function signAccessToken(
  deps: {
    readonly keys: Pick<SigningKeys, 'findPrivateKey' | 'areFresh' | 'refresh'>
    readonly issuer: string
    /** Signs a JWS signing input with ES256; gives the compact JWS. */
    readonly sign: (key: KeyObject, signingInput: string) => Promise<string>
  },
  decision: Recorded<AllowedDecision>,
): Promise<IssuedToken> {
  const { grant } = decision
  const claims = {
    iss: deps.issuer,
    sub: grant.email,
    aud: grant.audience,
    client_id: grant.email,
    iat: grant.issueTime,
    nbf: grant.issueTime,
    exp: grant.expireTime,
    jti: decision.id,
    roles: grant.roles,
    ...(grant.projects.length > 0 && { projects: grant.projects }),
    rules: grant.rules,
    workload: grant.workload,
  }
  const header = { alg: SIGNING_ALGORITHM, typ: ACCESS_TOKEN_TYPE, kid: grant.keyId }
  const signingInput = `${encodeJson(header)}.${encodeJson(claims)}`
  const accessToken = await deps.sign(privateKeyOf(deps.keys, grant.keyId), signingInput)
  // A process that stood still must not hand out what was signed before, by a key that is gone by now.
  if (!deps.keys.areFresh()) await deps.keys.refresh()
  privateKeyOf(deps.keys, grant.keyId)
  return { accessToken, expiresIn: grant.expireTime - grant.issueTime, decisionId: decision.id }
}

function privateKeyOf(keys: Pick<SigningKeys, 'findPrivateKey'>, keyId: string): KeyObject {
  const key = keys.findPrivateKey(keyId)
  if (key === undefined) throw unavailable('The signing key was just taken away; retry the job.')
  return key
}

function encodeJson(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

/** What one of our own tokens says, once it is verified. Times in seconds since the epoch. */
export type AccessTokenClaims = {
  readonly email: string
  readonly audience: string
  readonly issueTime: number
  readonly expireTime: number
  readonly decisionId: string
  /** Of the key that signed it. */
  readonly keyId: string
  readonly roles: readonly string[]
  readonly projects: readonly ProjectRoles[]
  readonly rules: readonly string[]
  readonly workload: Readonly<Record<string, string>>
}

/** Whether a token has to be for us, as whatever is asked of us with it must, or may be for a service behind us. */
export type Audience = 'ours' | 'any'
