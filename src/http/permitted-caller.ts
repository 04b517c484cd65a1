import type { Caller } from '../access/caller.ts'
import type { Permission } from '../access/permissions.ts'
import { RequestError } from '../errors.ts'
import type { Administrator, FindCaller } from './find-caller.ts'

export type PermittedCallerDeps = {
  readonly findCaller: FindCaller
  /** The id of the project that an email is of; undefined where that is the workspace. */
  readonly findProjectOfEmail: (email: string) => Promise<string | undefined>
}

/**
 * Whoever asks, where they hold the permissions: in the workspace, or in the one project that the path names by itself or
 * by an identity's email. `onCaller` is told who it is before it is known whether they may. Throws `unauthenticated`, `permission_denied`.
 */
export async function permittedCaller(
  {
    callers: { findCaller, findProjectOfEmail },
    onCaller,
  }: { callers: PermittedCallerDeps; onCaller: (name: string) => void },
  permissions: readonly Permission[],
  authorization: string | undefined,
  params: Readonly<Record<string, string>>,
): Promise<Caller> {
  const administrator = await findCaller(authorization)
  if (administrator === undefined) {
    throw new RequestError(
      'unauthenticated',
      authorization === undefined
        ? 'This needs an admin token, or an access token with the permission: Authorization: Bearer TOKEN.'
        : 'What Authorization carries is neither an admin token that is good now nor an access token of an identity that is active: Authorization: Bearer TOKEN.',
    )
  }
  onCaller(administrator.name)
  const { project, email } = params
  const caller = await callerIn(
    administrator,
    async () => project ?? (email === undefined ? undefined : findProjectOfEmail(email)),
  )
  const { name, inProject } = caller
  const held = (inProject ?? caller).permissions
  const missing = permissions.find((permission) => !held.has(permission))
  if (missing === undefined) return caller
  const where = inProject === undefined ? '' : ` in projects/${inProject.id}`
  throw new RequestError(
    'permission_denied',
    `This needs the permission ${missing}, which the roles of ${name} do not give${where}.`,
  )
}

/** What the workspace's roles give counts in every project too. */
async function callerIn(
  { name, permissions, findPermissionsIn }: Administrator,
  findProject: () => Promise<string | undefined>,
): Promise<Caller> {
  const id = findPermissionsIn === undefined ? undefined : await findProject()
  if (findPermissionsIn === undefined || id === undefined) return { name, permissions }
  const there = permissions.union(await findPermissionsIn(id))
  return { name, permissions, inProject: { id, permissions: there } }
}
