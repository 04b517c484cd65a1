import { timingSafeEqual } from 'node:crypto'
import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import type { AdminToken } from './admin-token.ts'
import { hashAdminSecret, readAdminTokenId } from './admin-token-secret.ts'
import type { AdminTokenStore } from './admin-token-store.ts'

const MINUTE_MS = 60_000

/**
 * Makes the check whose a bearer token is, undefined where it is no admin token that is good now. The row is read each
 * time, so that one that was deleted, or has lost a role, is so on every instance from the next call on.
 */
export function createAdminTokenCheck(deps: {
  readonly adminTokens: Pick<AdminTokenStore, 'findWithSecret' | 'noteUse'>
  readonly clock: Clock
  readonly log: Log
}): (token: string) => Promise<AdminToken | undefined> {
  const { adminTokens, clock, log } = deps
  return async (token) => {
    const id = readAdminTokenId(token)
    const found = id === undefined ? undefined : await adminTokens.findWithSecret(id)
    if (found === undefined || !timingSafeEqual(hashAdminSecret(token), found.secretHash)) return undefined
    const { secretHash, ...adminToken } = found
    const now = clock()
    const { expireTime, lastUseTime } = adminToken
    if (expireTime !== null && expireTime.getTime() <= now) return undefined
    if (lastUseTime === null || now - lastUseTime.getTime() >= MINUTE_MS) {
      // Nobody waits for it, and no call fails for it.
      adminTokens.noteUse(adminToken.id, new Date(now)).catch((error: Error) => {
        log.warn({ adminToken: adminToken.id, error: error.message }, 'a use is not noted')
      })
    }
    return adminToken
  }
}
