import { createHash, timingSafeEqual } from 'node:crypto'

/** What cannot be guessed; an empty token would let in everybody who sends none. */
const MIN_TOKEN_LENGTH = 32

/**
 * Makes the check whether an Authorization header carries the admin token, which takes the same time whatever it
 * carries; where there is no admin token, none is. Throws for a token that is too short to be one.
 */
export function createAdministratorCheck(
  adminToken: string | undefined,
): (authorization: string | undefined) => boolean {
  if (adminToken === undefined) return () => false
  if (adminToken.length < MIN_TOKEN_LENGTH) throw new Error('The admin token has fewer than 32 characters.')
  const expected = sha256(adminToken)
  return (authorization) => {
    const [, token] = /^Bearer +(\S+)$/i.exec(authorization ?? '') ?? []
    return token !== undefined && timingSafeEqual(sha256(token), expected)
  }
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
