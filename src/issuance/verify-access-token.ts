import type { KeyObject } from 'node:crypto'
import { z } from 'zod'
import { decodeBase64url } from '../base64url.ts'
import type { Clock } from '../clock.ts'
import { type JsonValue, parseJsonStrictly } from '../json.ts'
import { ACCESS_TOKEN_TYPE, type AccessTokenClaims, type Audience } from './access-token.ts'
import { SIGNING_ALGORITHM } from './signing-key.ts'
import type { SigningKeys } from './signing-keys.ts'

export type AccessTokenVerifierDeps = {
  readonly keys: Pick<SigningKeys, 'findPublicKey'>
  readonly issuer: string
  readonly clock: Clock
  readonly clockSkewSeconds: number
  /** Whether a compact JWS, whose parts are known to be base64url, is signed by this key with this algorithm. */
  readonly verifySignature: (
    algorithm: typeof SIGNING_ALGORITHM,
    key: KeyObject,
    jws: string,
  ) => Promise<boolean>
}

/** Longer than any of ours. */
const MAX_LENGTH = 16_384
const PARTS = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+$/

/** All that a header of ours says; what asks for more is not ours. */
const headerShape = z.strictObject({
  alg: z.literal(SIGNING_ALGORITHM),
  typ: z.literal(ACCESS_TOKEN_TYPE),
  kid: z.string(),
})
const texts = z.array(z.string())
const claimsShape = z.object({
  iss: z.string(),
  sub: z.string(),
  aud: z.string(),
  client_id: z.string(),
  iat: z.number(),
  nbf: z.number(),
  exp: z.number(),
  jti: z.uuid(),
  roles: texts,
  projects: z.array(z.object({ name: z.string(), roles: texts })).optional(),
  rules: texts,
  workload: z.record(z.string(), z.string()),
})

/**
 * Makes the check of our own access tokens; undefined for anything that is not one, or no longer. Their signature is
 * looked at last, in the thread that verifies the jobs' tokens too: services ask about ours as often.
 */
export function createAccessTokenVerifier(
  deps: AccessTokenVerifierDeps,
): (token: string, audience: Audience) => Promise<AccessTokenClaims | undefined> {
  return async (token, audience) => {
    if (token.length > MAX_LENGTH) return undefined
    const [, head = '', body = ''] = PARTS.exec(token) ?? []
    const header = headerShape.safeParse(decode(head))
    const read = header.success ? claimsShape.safeParse(decode(body)) : undefined
    if (!header.success || !read?.success) return undefined
    const claims = read.data
    const now = Math.floor(deps.clock() / 1000)
    const isOurs = claims.iss === deps.issuer && (audience === 'any' || claims.aud === deps.issuer)
    const isInTime = claims.exp > now - deps.clockSkewSeconds && claims.nbf <= now + deps.clockSkewSeconds
    if (!isOurs || !isInTime) return undefined
    const { kid } = header.data
    const key = await deps.keys.findPublicKey(kid)
    if (key === undefined || !(await deps.verifySignature(SIGNING_ALGORITHM, key, token))) return undefined
    return {
      email: claims.sub,
      audience: claims.aud,
      issueTime: claims.iat,
      expireTime: claims.exp,
      decisionId: claims.jti,
      keyId: kid,
      roles: claims.roles,
      projects: claims.projects ?? [],
      rules: claims.rules,
      workload: claims.workload,
    }
  }
}

/** What a part of a token says; undefined where it is no JSON, or could be written in another way. */
function decode(part: string): JsonValue | undefined {
  const bytes = decodeBase64url(part)
  if (bytes === undefined) return undefined
  const parsed = parseJsonStrictly(bytes.toString())
  return parsed.ok ? parsed.value : undefined
}
