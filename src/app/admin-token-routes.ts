import {
  ADMIN_TOKEN_FIELDS,
  adminTokenBody,
  adminTokenPatch,
  type ChangeAdminTokenDeps,
  createAdminToken,
  deleteAdminToken,
  updateAdminToken,
} from '../access/change-admin-token.ts'
import { createOneAtATime } from '../db/one-at-a-time.ts'
import { createAdminTokenRoute } from '../http/create-admin-token.ts'
import { deleteAdminTokenRoute } from '../http/delete-admin-token.ts'
import { getAdminTokenRoute } from '../http/get-admin-token.ts'
import { listAdminTokensRoute } from '../http/list-admin-tokens.ts'
import type { Route } from '../http/route.ts'
import { updateAdminTokenRoute } from '../http/update-admin-token.ts'
import type { Parts } from './parts.ts'

/** Administrators beside the first; changes wait for each other, as they do in the database. */
export function adminTokenRoutes(parts: Parts): readonly Route[] {
  const { adminTokens, pageTokens } = parts
  const deps: ChangeAdminTokenDeps = { ...parts, hasFirstAdministrator: parts.adminToken !== undefined }
  const oneAtATime = createOneAtATime()
  const inTurn = <Result>(work: () => Promise<Result>) => oneAtATime('', work)
  return [
    createAdminTokenRoute({
      adminTokenBody,
      createAdminToken: (...asked) => createAdminToken(deps, ...asked),
    }),
    listAdminTokensRoute({ adminTokens, pageTokens }),
    getAdminTokenRoute({ adminTokens }),
    updateAdminTokenRoute({
      adminTokenPatch,
      adminTokenFields: ADMIN_TOKEN_FIELDS,
      updateAdminToken: (...asked) => inTurn(() => updateAdminToken(deps, ...asked)),
    }),
    deleteAdminTokenRoute({
      deleteAdminToken: (...asked) => inTurn(() => deleteAdminToken(deps, ...asked)),
    }),
  ]
}
