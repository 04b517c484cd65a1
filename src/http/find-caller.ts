import type { Caller } from '../access/caller.ts'
import type { FindLiveToken } from '../issuance/find-live-token.ts'

/** Whom an Authorization header stands for; undefined where it carries nothing that is good here. */
export type FindCaller = (authorization: string | undefined) => Promise<Caller | undefined>

export type FindCallerDeps = {
  readonly isAdministrator: (authorization: string | undefined) => boolean
  readonly firstAdministrator: Caller
  readonly findLiveToken: FindLiveToken
  readonly permissionsOf: (roles: readonly string[]) => Caller['permissions']
}

/**
 * Makes the check of who administers: the admin token, or an access token of ours by what its identity gives at this
 * moment. Nothing is remembered, so that whoever is disabled, deleted or loses a role administers nothing from then on.
 */
export function createFindCaller(deps: FindCallerDeps): FindCaller {
  return async (authorization) => {
    if (deps.isAdministrator(authorization)) return deps.firstAdministrator
    const [, token] = /^Bearer +([\w.-]+)$/i.exec(authorization ?? '') ?? []
    const live = token === undefined ? undefined : await deps.findLiveToken(token, 'ours')
    if (live === undefined) return undefined
    // A project's identities have their roles in it only, and none of the workspace's.
    const roles = live.identity.project === null ? live.roles : []
    return { name: `workloadIdentities/${live.identity.email}`, permissions: deps.permissionsOf(roles) }
  }
}
