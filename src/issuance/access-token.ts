import type { KeyObject } from 'node:crypto'
import type { AllowedDecision, ProjectRoles, Recorded } from '../decision/decision.ts'
import { SIGNING_ALGORITHM, type SigningKeys } from './signing-keys.ts'

/** RFC 9068 §2.1. */
export const ACCESS_TOKEN_TYPE = 'at+jwt'

export type IssuedToken = {
  readonly accessToken: string
  readonly expiresIn: number
  readonly decisionId: string
}

/** Signs the access token (RFC 9068) of an allowed decision whose row is committed; its `jti` is the decision's id. */
export async function signAccessToken(
  deps: {
    readonly keys: SigningKeys
    readonly issuer: string
    /** Signs a JWS signing input with ES256; gives the compact JWS. */
    readonly sign: (key: KeyObject, signingInput: string) => Promise<string>
  },
  decision: Recorded<AllowedDecision>,
): Promise<IssuedToken> {
  const { grant } = decision
  if (grant.keyId !== deps.keys.active.kid)
    throw new Error('The signing key changed after the decision was made.')
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
  const accessToken = await deps.sign(deps.keys.active.privateKey, signingInput)
  return { accessToken, expiresIn: grant.expireTime - grant.issueTime, decisionId: decision.id }
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
  readonly roles: readonly string[]
  readonly projects: readonly ProjectRoles[]
  readonly rules: readonly string[]
  readonly workload: Readonly<Record<string, string>>
}

/** Whether a token has to be for us, as whatever is asked of us with it must, or may be for a service behind us. */
export type Audience = 'ours' | 'any'
