import { createRole, deleteRole, ROLE_FIELDS, roleBody, updateRole } from '../access/change-role.ts'
import { createOneAtATime } from '../db/one-at-a-time.ts'
import { createRoleRoute } from '../http/create-role.ts'
import { deleteRoleRoute } from '../http/delete-role.ts'
import { getRoleRoute } from '../http/get-role.ts'
import { listRolesRoute } from '../http/list-roles.ts'
import type { Route } from '../http/route.ts'
import { updateRoleRoute } from '../http/update-role.ts'
import type { Parts } from './parts.ts'

export function roleRoutes(parts: Parts): readonly Route[] {
  const { pageTokens, roles } = parts
  const inTurn = createOneAtATime()
  return [
    createRoleRoute({ roleBody, createRole: (...asked) => createRole(parts, ...asked) }),
    listRolesRoute({ roles, pageTokens }),
    getRoleRoute({ roles }),
    updateRoleRoute({
      roleBody,
      roleFields: ROLE_FIELDS,
      updateRole: (caller, id, ...asked) => inTurn(id, () => updateRole(parts, caller, id, ...asked)),
    }),
    deleteRoleRoute({
      deleteRole: (caller, id, ...asked) => inTurn(id, () => deleteRole(parts, caller, id, ...asked)),
    }),
  ]
}
