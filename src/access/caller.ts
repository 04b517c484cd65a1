import { RequestError } from '../errors.ts'
import { ROLE_PERMISSIONS } from './built-in-roles.ts'
import { PERMISSIONS, type Permission } from './permissions.ts'

/** Who asks for something, and what of claimgate's own they may. */
export type Caller = {
  /** Of the resource that stands for them: `adminTokens/first`, `workloadIdentities/EMAIL`. */
  readonly name: string
  readonly permissions: ReadonlySet<Permission>
}

/** Whoever has the admin token. */
export const FIRST_ADMINISTRATOR: Caller = { name: 'adminTokens/first', permissions: new Set(PERMISSIONS) }

/** The permissions that roles give together. A role that is not known gives none. */
export function permissionsOf(roles: readonly string[]): ReadonlySet<Permission> {
  return new Set(
    roles.flatMap((role) => (Object.hasOwn(ROLE_PERMISSIONS, role) ? (ROLE_PERMISSIONS[role] ?? []) : [])),
  )
}

/** What a caller's rights come to when they save an identity. */
export type Authority = {
  /** Throws `permission_denied` unless the caller holds all that these roles give. */
  readonly checkMayGive: (roles: readonly string[]) => void
  /** Whether an identity's new issuer may be registered with it. */
  readonly mayRegisterIssuers: boolean
}

/**
 * Nobody gives what they do not hold, lest who writes rules makes an administrator of a job of their own. Roles of the
 * services behind claimgate have none of its permissions, and are given by whoever may save identities.
 */
export function authorityOf({ permissions }: Caller): Authority {
  return {
    checkMayGive(roles) {
      const role = roles.find((each) => [...permissionsOf([each])].some((given) => !permissions.has(given)))
      if (role === undefined) return
      throw new RequestError(
        'permission_denied',
        `${role} gives permissions that you do not hold, so an identity that gives it, or did, is not yours to change.`,
      )
    },
    mayRegisterIssuers: permissions.has('claimgate.issuers.create'),
  }
}
