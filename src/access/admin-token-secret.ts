import { createHash, randomBytes } from 'node:crypto'

/** 256 bits: SHA-256 of them can be kept as it is, since nobody can try them all. */
const SECRET_BYTES = 32

/** `cgadm_ID_SECRET`: known by its beginning to whoever looks for leaked secrets, and by its id to who has to revoke it. */
export function newAdminSecret(id: string): string {
  return `cgadm_${id}_${randomBytes(SECRET_BYTES).toString('base64url')}`
}

/** Whose a token claims to be; undefined for one that is no admin token by its form. */
export function readAdminTokenId(token: string): string | undefined {
  return /^cgadm_([a-z0-9-]{1,63})_[A-Za-z0-9_-]{43}$/.exec(token)?.[1]
}

export function hashAdminSecret(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}
