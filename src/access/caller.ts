import { RequestError } from '../errors.ts'
import { isOwnPermission, PERMISSIONS, type Permission } from './permissions.ts'

/** Who asks for something, and what of claimgate's own they may. */
export type Caller = {
  /** Of the resource that stands for them: `adminTokens/first`, `workloadIdentities/EMAIL`. */
  readonly name: string
  /** In the whole workspace, and so in every project. */
  readonly permissions: ReadonlySet<Permission>
  /** The project that the request is about, and what they may in it; absent where it is about none. */
  readonly inProject?: { readonly id: string; readonly permissions: ReadonlySet<Permission> }
}

/** Whoever has the admin token. */
export const FIRST_ADMINISTRATOR: Caller = { name: 'adminTokens/first', permissions: new Set(PERMISSIONS) }

/** What each role gives of claimgate's own, by the role's name. */
export type OwnPermissions = ReadonlyMap<string, ReadonlySet<Permission>>

/** Of permissions those that are claimgate's own. */
export function ownPermissions(permissions: readonly string[]): ReadonlySet<Permission> {
  return new Set(permissions.filter(isOwnPermission))
}

/** A role that somebody is given in a project, or in the whole workspace where it is null. */
export type Gift = { readonly role: string; readonly projectId: string | null }

/** What a caller may, where a request is about this project, or about the workspace where it is null. */
function permissionsIn(
  { permissions, inProject }: Caller,
  projectId: string | null,
): ReadonlySet<Permission> {
  return inProject !== undefined && inProject.id === projectId ? inProject.permissions : permissions
}

/**
 * Who says which keys an issuer has can make tokens of any of its jobs, an administrator's too: throws
 * `permission_denied` unless the caller holds all that there is.
 */
export function checkMaySetKeys({ permissions }: Caller): void {
  if (PERMISSIONS.every((permission) => permissions.has(permission))) return
  throw new RequestError(
    'permission_denied',
    'jwks says whose tokens are good, so it is changed only by who holds all permissions of claimgate, as roles/workspaceAdmin gives them.',
  )
}

/** Whether a caller may see identities of a project, or those of the workspace where it is null. */
export function maySeeIdentitiesOf(caller: Caller, projectId: string | null): boolean {
  return permissionsIn(caller, projectId).has('claimgate.workloadIdentities.get')
}

/**
 * Nobody gives or takes what they do not hold there: throws `permission_denied` unless the caller holds all that these
 * roles give, lest who writes rules makes an administrator of a job of their own. Roles of the services behind claimgate
 * give none of its permissions, so whoever may save identities or set members gives them. A role that is not known gives
 * nothing.
 */
export function checkMayGive(caller: Caller, gifts: readonly Gift[], given: OwnPermissions): void {
  const gift = gifts.find(({ role, projectId }) => {
    const held = permissionsIn(caller, projectId)
    return [...(given.get(role) ?? [])].some((permission) => !held.has(permission))
  })
  if (gift === undefined) return
  const where = gift.projectId === null ? '' : ` in projects/${gift.projectId}`
  throw new RequestError(
    'permission_denied',
    `${gift.role} gives permissions that you do not hold${where}, so who has it there, or had, is not yours to change.`,
  )
}
