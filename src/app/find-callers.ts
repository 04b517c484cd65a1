import { FIRST_ADMINISTRATOR, ownPermissions } from '../access/caller.ts'
import { createAdminTokenCheck } from '../access/check-admin-token.ts'
import { createFindCaller } from '../http/find-caller.ts'
import { createAdministratorCheck } from '../http/is-administrator.ts'
import type { PermittedCallerDeps } from '../http/permitted-caller.ts'
import { placeOf } from '../identity/identity-email.ts'
import type { Parts } from './parts.ts'

/** Who administers: whoever has an admin token, and jobs whose identity gives them a role of claimgate's own. */
export function findCallers(parts: Parts): PermittedCallerDeps {
  const { config, adminToken, findLiveToken, identities, grants, roles } = parts
  const checkAdminToken = createAdminTokenCheck(parts)
  return {
    findCaller: createFindCaller({
      isAdministrator: createAdministratorCheck(adminToken),
      firstAdministrator: FIRST_ADMINISTRATOR,
      async findAdminToken(token) {
        const found = await checkAdminToken(token)
        return (
          found && { name: `adminTokens/${found.id}`, permissions: await roles.permissionsOf(found.roles) }
        )
      },
      findLiveToken,
      findGrants: grants.find,
      ownPermissions,
    }),
    async findProjectOfEmail(email) {
      const identity = await identities.findToJudge(email)
      // What it belongs to is stored; its domain may have been another when it was made.
      if (identity !== undefined) return identity.project?.id
      return placeOf(email, config.identityDomain)?.projectId
    },
  }
}
