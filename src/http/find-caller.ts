import type { Caller } from '../access/caller.ts'
import type { Grants, Subject } from '../access/grant-store.ts'
import type { FindLiveToken } from '../issuance/find-live-token.ts'
import { subjectOfToken } from './subject-of-token.ts'

/** Whoever administers, before it is known what about. */
export type Administrator = Pick<Caller, 'name' | 'permissions'> & {
  /** What they may in a project, by what they hold there too; absent where that is never more. */
  readonly findPermissionsIn?: (projectId: string) => Promise<Caller['permissions']>
}

/** Whom an Authorization header stands for; undefined where it carries nothing that is good here. */
export type FindCaller = (authorization: string | undefined) => Promise<Administrator | undefined>

export type FindCallerDeps = {
  readonly isAdministrator: (authorization: string | undefined) => boolean
  readonly firstAdministrator: Administrator
  /** Whose an admin token is beside that one; undefined where it is nobody's now. */
  readonly findAdminToken: (token: string) => Promise<Administrator | undefined>
  readonly findLiveToken: FindLiveToken
  readonly findGrants: (subject: Subject, projectId: string | null) => Promise<Grants>
  /** Of permissions those that are claimgate's own. */
  readonly ownPermissions: (permissions: readonly string[]) => Caller['permissions']
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
    if (adminToken !== undefined) return adminToken
    const live = await deps.findLiveToken(token, 'ours')
    if (live === undefined) return undefined
    const subject = subjectOfToken(live)
    const findPermissions = async (projectId: string | null) => {
      const { grants } = await deps.findGrants(subject, projectId)
      return deps.ownPermissions(grants.flatMap(({ permissions }) => permissions))
    }
    return {
      name: `workloadIdentities/${live.identity.email}`,
      permissions: await findPermissions(null),
      findPermissionsIn: findPermissions,
    }
  }
}
