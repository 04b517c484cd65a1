import type { Database, PreparedStatement } from '../db/database.ts'
import { createRowCache } from '../db/row-cache.ts'
import { BUILT_IN_ROLES } from './built-in-roles.ts'
import { ROLE_PREFIX } from './role.ts'

/** What every role there is gives, by the role's name. */
export type RolePermissions = {
  /** Another one as soon as any role changes. */
  readonly revision: string
  has(role: string, permission: string): boolean
  /** The names of the roles that give a permission, sorted. */
  giving(permission: string): readonly string[]
}

export type RolePermissionsCache = {
  find(): Promise<RolePermissions>
  forget(): void
}

/** Permissions by the name of a role. */
type Permissions = Readonly<Record<string, readonly string[]>>

const KEY = 'current'

/** Remembers what all roles give until an access decision finds their revision gone. */
export function createRolePermissions(db: Pick<Database, 'run'>): RolePermissionsCache {
  const builtIn = BUILT_IN_ROLES.map(({ id, permissions }) => [`${ROLE_PREFIX}${id}`, permissions] as const)
  const read = async () => {
    const [row] = await db.run<{ revision: string; custom: Permissions }>(READ_ROLES, [])
    if (row === undefined) throw new Error('The table role_changes has no row.')
    return rolePermissions(row.revision, { ...row.custom, ...Object.fromEntries(builtIn) })
  }
  const rows = createRowCache({ max: 1, load: read })
  return {
    async find() {
      return (await rows.find(KEY)).row ?? read()
    },
    forget: () => rows.forget(KEY),
  }
}

function rolePermissions(revision: string, roles: Permissions): RolePermissions {
  const held = new Map(Object.entries(roles).map(([role, permissions]) => [role, new Set(permissions)]))
  const giving = new Map<string, string[]>()
  for (const [role, permissions] of [...held].sort(([a], [b]) => (a < b ? -1 : 1))) {
    for (const permission of permissions) giving.set(permission, [...(giving.get(permission) ?? []), role])
  }
  return {
    revision,
    has: (role, permission) => held.get(role)?.has(permission) === true,
    giving: (permission) => giving.get(permission) ?? [],
  }
}

const READ_ROLES: PreparedStatement = {
  name: 'read-role-permissions',
  text: `
    select revision, (select coalesce(json_object_agg('${ROLE_PREFIX}' || id, permissions), '{}') from roles) as custom
      from role_changes`,
}
