import { FIRST_ADMINISTRATOR, ownPermissions } from '../access/caller.ts'
import { createFindCaller } from '../http/find-caller.ts'
import { createAdministratorCheck } from '../http/is-administrator.ts'
import type { PermittedCallerDeps } from '../http/permitted-caller.ts'
import { placeOf } from '../identity/identity-email.ts'
import type { Parts } from './parts.ts'

/** Who administers: whoever has the admin token, and jobs whose identity gives them a role of claimgate's own. */
export function findCallers(parts: Parts): PermittedCallerDeps {
  const { config, adminToken, findLiveToken, identities, grants } = parts
  return {
    findCaller: createFindCaller({
      isAdministrator: createAdministratorCheck(adminToken),
      firstAdministrator: FIRST_ADMINISTRATOR,
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
