import { createRole, deleteRole, ROLE_FIELDS, roleBody, updateRole } from '../access/change-role.ts'
import { createOneAtATime } from '../db/one-at-a-time.ts'
import { createRoleRoute } from '../http/create-role.ts'
import { deleteRoleRoute } from '../http/delete-role.ts'
import { getRoleRoute } from '../http/get-role.ts'
import { listRolesRoute } from '../http/list-roles.ts'
import type { Route } from '../http/route.ts'
import { updateRoleRoute } from '../http/update-role.ts'
import type { Parts } from './parts.ts'

export function roleRoutes({ db, clock, pageTokens, roles }: Parts): readonly Route[] {
  const changes = { db, clock }
  const inTurn = createOneAtATime()
  return [
    createRoleRoute({ roleBody, createRole: (caller, id, body) => createRole(changes, caller, id, body) }),
    listRolesRoute({ roles, pageTokens }),
    getRoleRoute({ roles }),
    updateRoleRoute({
      roleBody,
      roleFields: ROLE_FIELDS,
      updateRole: (caller, id, update) => inTurn(id, () => updateRole(changes, caller, id, update)),
    }),
    deleteRoleRoute({
      deleteRole: (caller, id, ifMatch) => inTurn(id, () => deleteRole(changes, caller, id, ifMatch)),
    }),
  ]
}
