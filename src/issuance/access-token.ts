import type { KeyObject } from 'node:crypto'
import { errors, jwtVerify } from 'jose'
import type { Clock } from '../clock.ts'
import type { AllowedDecision, ProjectRoles, Recorded } from '../decision/decision.ts'
import { unavailable } from '../errors.ts'
import { SIGNING_ALGORITHM } from './signing-key.ts'
import type { SigningKeys } from './signing-keys.ts'

/** RFC 9068 §2.1. */
const ACCESS_TOKEN_TYPE = 'at+jwt'

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

/** What one of our own tokens says, once it is verified. */
export type AccessTokenClaims = {
  readonly email: string
  readonly decisionId: string
  /** Of the key that signed it. */
  readonly keyId: string
  readonly roles: readonly string[]
  readonly projects: readonly ProjectRoles[]
  readonly rules: readonly string[]
}

/** Makes the check of our own access tokens, for our own use; undefined for anything that is not one, or no longer. */
export function createAccessTokenVerifier(deps: {
  keys: Pick<SigningKeys, 'findPublicKey'>
  issuer: string
  clock: Clock
  clockSkewSeconds: number
}): (token: string) => Promise<AccessTokenClaims | undefined> {
  return async (token) => {
    try {
      const { payload, protectedHeader } = await jwtVerify(token, deps.keys.findPublicKey, {
        algorithms: [SIGNING_ALGORITHM],
        typ: ACCESS_TOKEN_TYPE,
        issuer: deps.issuer,
        audience: deps.issuer,
        requiredClaims: ['sub', 'client_id', 'jti', 'iat', 'nbf', 'exp', 'roles', 'rules'],
        currentDate: new Date(deps.clock()),
        clockTolerance: deps.clockSkewSeconds,
      })
      return {
        email: String(payload.sub),
        decisionId: String(payload.jti),
        keyId: String(protectedHeader.kid),
        roles: payload.roles as string[],
        projects: (payload.projects as ProjectRoles[] | undefined) ?? [],
        rules: payload.rules as string[],
      }
    } catch (error) {
      if (error instanceof errors.JOSEError) return undefined
      throw error
    }
  }
}
