import { createHash, timingSafeEqual } from 'node:crypto'

/** Tells whether an Authorization header carries the admin token, in the same time whatever it carries. */
export function createAdministratorCheck(adminToken: string): (authorization: string | undefined) => boolean {
  const expected = sha256(adminToken)
  return (authorization) => {
    const [, token = ''] = /^Bearer +(.*)$/i.exec(authorization ?? '') ?? []
    return timingSafeEqual(sha256(token), expected)
  }
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
