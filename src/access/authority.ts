import type { Database } from '../db/database.ts'
import { invalidArgument } from '../errors.ts'
import { type Caller, checkMayGive, type Gift, type OwnPermissions } from './caller.ts'
import { holdRoles } from './role-store.ts'

/** What a caller's rights come to when they save an identity. */
export type Authority = {
  /** Throws `permission_denied` unless the caller holds all that these roles give where they give it. */
  readonly checkMayGive: (gifts: readonly Gift[]) => void
  /**
   * Keeps roles that are given anew as they are until the transaction ends. Throws as the check does, and
   * `invalid_argument` where one was deleted since the request came.
   */
  readonly holdRoles: (trx: Database['kysely'], gifts: readonly Gift[]) => Promise<void>
  /** Whether an identity's new issuer may be registered with it. */
  readonly mayRegisterIssuers: boolean
}

/** `given`: what every role gives when the request comes. */
export function authorityOf(caller: Caller, given: OwnPermissions): Authority {
  return {
    checkMayGive: (gifts) => checkMayGive(caller, gifts, given),
    async holdRoles(trx, gifts) {
      const now = await holdRoles(
        trx,
        gifts.map(({ role }) => role),
      )
      const gone = gifts.find(({ role }) => !now.has(role))
      if (gone !== undefined) {
        throw invalidArgument(`workloadIdentityConfig.rules name ${gone.role}, which was deleted meanwhile.`)
      }
      checkMayGive(caller, gifts, now)
    },
    // Issuers are the workspace's, whatever the identity belongs to.
    mayRegisterIssuers: caller.permissions.has('claimgate.issuers.create'),
  }
}
