import { FIRST_ADMINISTRATOR, permissionsOf } from '../access/caller.ts'
import { createAdminTokenCheck } from '../access/check-admin-token.ts'
import { createFindCaller, type FindCaller } from '../http/find-caller.ts'
import { createAdministratorCheck } from '../http/is-administrator.ts'
import type { Parts } from './parts.ts'

/** Who administers: whoever has an admin token, and jobs whose identity gives them a role of claimgate's own. */
export function findCaller(parts: Parts): FindCaller {
  const { adminToken, verifyAccessToken, identities, issuers } = parts
  return createFindCaller({
    isAdministrator: createAdministratorCheck(adminToken),
    firstAdministrator: FIRST_ADMINISTRATOR,
    findAdminToken: createAdminTokenCheck(parts),
    verifyAccessToken,
    findIdentityOfToken: ({ decisionId }) => identities.findByDecision(decisionId),
    isActiveIssuer: async (issuerUrl) => (await issuers.findByUrl(issuerUrl))?.state === 'ACTIVE',
    permissionsOf,
  })
}
