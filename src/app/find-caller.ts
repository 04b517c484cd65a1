import { FIRST_ADMINISTRATOR, permissionsOf } from '../access/caller.ts'
import { createFindCaller, type FindCaller } from '../http/find-caller.ts'
import { createAdministratorCheck } from '../http/is-administrator.ts'
import type { Parts } from './parts.ts'

/** Who administers: whoever has the admin token, and jobs whose identity gives them a role of claimgate's own. */
export function findCaller({ adminToken, verifyAccessToken, identities, issuers }: Parts): FindCaller {
  return createFindCaller({
    isAdministrator: createAdministratorCheck(adminToken),
    firstAdministrator: FIRST_ADMINISTRATOR,
    verifyAccessToken,
    findIdentityOfToken: ({ decisionId, keyId }) => identities.findByDecision(decisionId, keyId),
    isActiveIssuer: async (issuerUrl) => (await issuers.findByUrl(issuerUrl))?.state === 'ACTIVE',
    permissionsOf,
  })
}
