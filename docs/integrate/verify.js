// Verifies access tokens of claimgate offline, with jose 6.
import { createRemoteJWKSet, errors, jwtVerify } from 'jose'

const { CLAIMGATE_URL, AUDIENCE } = process.env

const findKey = createRemoteJWKSet(new URL(`${CLAIMGATE_URL}/.well-known/jwks.json`), {
  cacheMaxAge: 300_000, // the max-age of the answer, which jose does not read
  cooldownDuration: 5_000, // tokens of unknown keys do not make it ask more often
})

/** The claims of a good token; undefined for any other. Throws where the keys cannot be had. */
export async function verifyAccessToken(token) {
  try {
    const { payload } = await jwtVerify(token, findKey, {
      algorithms: ['ES256'],
      typ: 'at+jwt',
      issuer: CLAIMGATE_URL,
      audience: AUDIENCE,
      requiredClaims: ['sub', 'exp', 'nbf'],
      clockTolerance: 60,
    })
    return payload
  } catch (error) {
    const isFault = !(error instanceof errors.JOSEError) || NO_KEYS.includes(error.code)
    if (isFault) throw error
    return undefined
  }
}

const NO_KEYS = ['ERR_JOSE_GENERIC', 'ERR_JWKS_INVALID', 'ERR_JWKS_TIMEOUT']
