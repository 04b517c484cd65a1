import { z } from 'zod'
import type { RecordChange } from '../change/change.ts'
import type { Clock } from '../clock.ts'
import { checkRevision, type IfMatch } from '../db/check-revision.ts'
import type { Database } from '../db/database.ts'
import { invalidArgument, RequestError } from '../errors.ts'
import type { Authorship } from '../fields/authorship.ts'
import { readUpdatedFields, type Update } from '../fields/field-mask.ts'
import { title } from '../fields/title.ts'
import { findBuiltInRole } from './built-in-roles.ts'
import { type Caller, checkMayGive, ownPermissions } from './caller.ts'
import { checkPermission } from './permissions.ts'
import { isRoleId, ROLE_ID_RULE, ROLE_PREFIX, type Role } from './role.ts'
import { findRoleUse, insertRole, lockRole, removeRole, writeRole } from './role-store.ts'

const MAX_PERMISSIONS = 500 // of some services all that there are; they fit the limit of a body
const MAX_DESCRIPTION = 1_000

const permission = z.string().superRefine((text, context) => {
  const message = checkPermission(text)
  if (message !== undefined) context.addIssue({ code: 'custom', message })
})

/** The body of a create; what is ours is ignored (AIP-203), the name must be the role's. */
export const roleBody = z.strictObject({
  name: z.string().optional(),
  title: title.optional(),
  description: z
    .string()
    .max(MAX_DESCRIPTION)
    .regex(/^[^\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]*$/u, 'must be one line of text')
    .optional(),
  permissions: z
    .array(permission)
    .max(MAX_PERMISSIONS)
    .optional()
    .describe("`claimgate.COLLECTION.VERB` of claimgate's own; any other dotted name is another service's."),
  type: z.unknown().optional(),
  etag: z.string().optional(),
  createTime: z.unknown().optional(),
  updateTime: z.unknown().optional(),
})

/** The fields that an update may name, and the others. */
export const ROLE_FIELDS = {
  updatable: ['title', 'description', 'permissions'],
  outputOnly: ['name', 'type', 'etag', 'createTime', 'updateTime'],
}

export type RoleBody = z.infer<typeof roleBody>
export type ChangeRoleDeps = {
  readonly db: Database
  readonly clock: Clock
  readonly recordRole: RecordChange<Role>
}

/**
 * Creates a role. Throws `invalid_argument`, `already_exists` where the id is taken, `permission_denied` where it gives
 * of claimgate's own what the caller does not hold.
 */
export async function createRole(
  { db, clock, recordRole }: ChangeRoleDeps,
  caller: Caller,
  id: string,
  body: RoleBody,
  authorship: Authorship,
): Promise<Role> {
  if (!isRoleId(id)) throw invalidArgument(`roleId ${ROLE_ID_RULE}.`)
  checkName(id, body)
  const role = completed(id, body)
  checkHolds(caller, role)
  if (findBuiltInRole(id) !== undefined) throw taken(id, 'is built in')
  return db.kysely.transaction().execute(async (trx) => {
    const now = new Date(clock())
    const created = await insertRole(trx, role, now)
    if (created === undefined) throw taken(id, 'exists already')
    await recordRole(trx, { verb: 'CREATE', after: created }, authorship, now)
    return created
  })
}

/**
 * Changes a role: whoever has it, gives more or less from the next request on. Throws like the create, `not_found`,
 * `failed_precondition` for a built-in one, `aborted` where its etag is another.
 */
export async function updateRole(
  deps: ChangeRoleDeps,
  caller: Caller,
  id: string,
  { body, mask, ifMatch }: Update<RoleBody>,
  authorship: Authorship,
): Promise<Role> {
  const updated = readUpdatedFields(mask, body, ROLE_FIELDS.updatable)
  if (!updated.ok) throw invalidArgument(updated.message)
  checkName(id, body)
  return withLocked(deps, caller, id, async (trx, role, now) => {
    checkRevision(role.revision, ifMatch, body.etag)
    // A field that is named and not given is what it is in a new one.
    const change = Object.fromEntries(
      updated.paths.map((path) => [path, Reflect.get(completed(id, body), path)]),
    )
    const changed = { ...role, ...change }
    checkHolds(caller, changed)
    const written = await writeRole(trx, pick(changed), now)
    await deps.recordRole(trx, { verb: 'UPDATE', before: role, after: written }, authorship, now)
    return written
  })
}

/** Deletes a role for good. Throws as an update does, and `failed_precondition` where anybody is given it. */
export async function deleteRole(
  deps: ChangeRoleDeps,
  caller: Caller,
  id: string,
  ifMatch: IfMatch,
  authorship: Authorship,
): Promise<void> {
  await withLocked(deps, caller, id, async (trx, role, now) => {
    checkRevision(role.revision, ifMatch)
    const use = await findRoleUse(trx, id)
    if (use !== undefined) {
      const more = use.others === 0 ? '' : `, and ${use.others} more`
      throw failed(`${ROLE_PREFIX}${id} is in use: ${use.where}${more}. Take it out there first.`)
    }
    await removeRole(trx, id)
    await deps.recordRole(trx, { verb: 'DELETE', before: role }, authorship, now)
    return role
  })
}

function checkName(id: string, { name }: RoleBody): void {
  if (name !== undefined && name !== `${ROLE_PREFIX}${id}`) {
    throw invalidArgument(`name must be ${ROLE_PREFIX}${id}, or left out: it follows from the id.`)
  }
}

/** What a body makes of a new role, each permission once. */
function completed(id: string, { title = id, description = '', permissions = [] }: RoleBody) {
  return { id, title, description, permissions: [...new Set(permissions)].sort() }
}

function pick({ id, title, description, permissions }: Role) {
  return { id, title, description, permissions }
}

/** A role is the workspace's, and may be given anywhere. */
function checkHolds(caller: Caller, { id, permissions }: Pick<Role, 'id' | 'permissions'>): void {
  const role = `${ROLE_PREFIX}${id}`
  checkMayGive(caller, [{ role, projectId: null }], new Map([[role, ownPermissions(permissions)]]))
}

/** Who may not give a role may not say either what those have who were given it. */
function withLocked(
  { db, clock }: ChangeRoleDeps,
  caller: Caller,
  id: string,
  change: (trx: Database['kysely'], role: Role, now: Date) => Promise<Role>,
): Promise<Role> {
  if (findBuiltInRole(id) !== undefined) {
    throw failed(`${ROLE_PREFIX}${id} is built in: it can be neither changed nor deleted.`)
  }
  return db.kysely.transaction().execute(async (trx) => {
    const role = await lockRole(trx, id)
    if (role === undefined) throw new RequestError('not_found', 'There is no such role.')
    checkHolds(caller, role)
    return change(trx, role, new Date(clock()))
  })
}

function taken(id: string, how: string): RequestError {
  return new RequestError('already_exists', `${ROLE_PREFIX}${id} ${how}: choose another roleId.`)
}

function failed(message: string): RequestError {
  return new RequestError('failed_precondition', message)
}
