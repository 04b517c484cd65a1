import type { Caller } from '../access/caller.ts'
import type { StoredIdentity } from '../identity/identity-store.ts'
import type { AccessTokenClaims } from '../issuance/access-token.ts'
import { rolesStillGranted } from './roles-still-granted.ts'

/** Whom an Authorization header stands for; undefined where it carries nothing that is good here. */
export type FindCaller = (authorization: string | undefined) => Promise<Caller | undefined>

export type FindCallerDeps = {
  readonly isAdministrator: (authorization: string | undefined) => boolean
  readonly firstAdministrator: Caller
  /** Whose an admin token is beside that one; undefined where it is nobody's now. */
  readonly findAdminToken: (
    token: string,
  ) => Promise<{ readonly id: string; readonly roles: readonly string[] } | undefined>
  readonly verifyAccessToken: (token: string) => Promise<AccessTokenClaims | undefined>
  readonly findIdentityOfToken: (claims: AccessTokenClaims) => Promise<StoredIdentity | undefined>
  /** Whether tokens of this issuer are accepted now. */
  readonly isActiveIssuer: (issuerUrl: string) => Promise<boolean>
  readonly permissionsOf: (roles: readonly string[]) => Caller['permissions']
}

/**
 * Makes the check of who administers: the first administrator, an admin token, or an access token of ours by what its
 * identity gives at this moment. Nothing is remembered, so that whoever is disabled, deleted or loses a role administers
 * nothing from then on.
 */
export function createFindCaller(deps: FindCallerDeps): FindCaller {
  return async (authorization) => {
    if (deps.isAdministrator(authorization)) return deps.firstAdministrator
    const [, token] = /^Bearer +([\w.-]+)$/i.exec(authorization ?? '') ?? []
    if (token === undefined) return undefined
    const adminToken = await deps.findAdminToken(token)
    if (adminToken !== undefined) {
      return { name: `adminTokens/${adminToken.id}`, permissions: deps.permissionsOf(adminToken.roles) }
    }
    const claims = await deps.verifyAccessToken(token)
    const identity = claims && (await deps.findIdentityOfToken(claims))
    if (claims === undefined || !identity?.isActive || identity.email !== claims.email) return undefined
    if (!(await deps.isActiveIssuer(identity.workloadIdentityConfig.issuerUrl))) return undefined
    // A project's identities have their roles in it only, and none of the workspace's.
    const roles = identity.project === null ? rolesStillGranted(claims.roles, claims, identity) : []
    return { name: `workloadIdentities/${identity.email}`, permissions: deps.permissionsOf(roles) }
  }
}
