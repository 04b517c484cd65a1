import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import type { RecordChange } from '../change/change.ts'
import type { Clock } from '../clock.ts'
import { checkRevision, type IfMatch } from '../db/check-revision.ts'
import type { Database } from '../db/database.ts'
import { FieldError, invalidArgument, RequestError } from '../errors.ts'
import type { Authorship } from '../fields/authorship.ts'
import { readUpdatedFields, type Update } from '../fields/field-mask.ts'
import { readTime } from '../fields/read-time.ts'
import { isResourceId, RESOURCE_ID_RULE } from '../fields/resource-id.ts'
import { title } from '../fields/title.ts'
import { type AdminToken, FIRST_ADMIN_TOKEN, isLastingAdministrator } from './admin-token.ts'
import { hashAdminSecret, newAdminSecret } from './admin-token-secret.ts'
import {
  deleteAdminTokenRow,
  findLastingAdministrators,
  insertAdminToken,
  lockAdminToken,
  writeAdminToken,
} from './admin-token-store.ts'
import { type Caller, checkMayGive } from './caller.ts'
import { roleProblem } from './role.ts'
import { holdRoles, type RoleStore } from './role-store.ts'

const MAX_ROLES = 20

/** The body of a create; what is ours is ignored (AIP-203), the name must be the token's. */
export const adminTokenBody = z.strictObject({
  name: z.string().optional(),
  title: title.optional(),
  roles: z.array(z.string()).min(1).max(MAX_ROLES),
  expireTime: z.string().transform(readTime).nullable().optional(),
  etag: z.string().optional(),
  createTime: z.unknown().optional(),
  updateTime: z.unknown().optional(),
  lastUseTime: z.unknown().optional(),
})

export const adminTokenPatch = adminTokenBody.partial({ roles: true })

/** The fields that an update may name, and the others. */
export const ADMIN_TOKEN_FIELDS = {
  updatable: ['title', 'roles', 'expireTime'],
  outputOnly: ['name', 'etag', 'createTime', 'updateTime', 'lastUseTime', 'token'],
}

export type AdminTokenBody = z.infer<typeof adminTokenBody>
export type AdminTokenPatch = z.infer<typeof adminTokenPatch>

export type ChangeAdminTokenDeps = {
  readonly db: Database
  readonly clock: Clock
  readonly roles: Pick<RoleStore, 'listOwnPermissions'>
  /** Whether the setting ADMIN_TOKEN makes an administrator whom nobody can remove. */
  readonly hasFirstAdministrator: boolean
  readonly recordAdminToken: RecordChange<AdminToken>
}

/** A token with what its holder sends, which is shown this once. */
export type CreatedAdminToken = { readonly adminToken: AdminToken; readonly token: string }

/**
 * Makes a token; its id is made up where none is given. Throws `invalid_argument`, `permission_denied` for roles that give more than the caller holds, and
 * `already_exists` where the id is taken: for ever, as changes name their author by it.
 */
export async function createAdminToken(
  deps: ChangeAdminTokenDeps,
  caller: Caller,
  givenId: string | undefined,
  body: AdminTokenBody,
  authorship: Authorship,
): Promise<CreatedAdminToken> {
  const id = givenId ?? `token-${randomBytes(5).toString('hex')}`
  if (!isResourceId(id)) throw invalidArgument(`adminTokenId ${RESOURCE_ID_RULE}.`)
  if (id === FIRST_ADMIN_TOKEN) {
    throw invalidArgument(`adminTokenId must not be '${id}': that is the setting ADMIN_TOKEN.`)
  }
  checkName(id, body)
  const now = new Date(deps.clock())
  const expireTime = readExpireTime(body.expireTime, now)
  const token = newAdminSecret(id)
  const roles = [...new Set(body.roles)]
  const knownRoles = await listRoleNames(deps)
  const fresh = { id, title: body.title ?? id, roles, expireTime, secretHash: hashAdminSecret(token) }
  return deps.db.kysely.transaction().execute(async (trx) => {
    await checkRoles(trx, caller, { given: roles, knownRoles })
    const adminToken = await insertAdminToken(trx, fresh, now)
    if (adminToken === undefined) {
      throw new RequestError(
        'already_exists',
        `adminTokens/${id} exists, or did: choose another id, as none is given twice.`,
      )
    }
    await deps.recordAdminToken(trx, { verb: 'CREATE', after: adminToken }, authorship, now)
    return { adminToken, token }
  })
}

/**
 * Changes title, roles or expiry of a token, whose secret stays. Throws as a create does, `not_found`, `aborted` where
 * its etag is another, and `failed_precondition` where nobody would be left to administer.
 */
export async function updateAdminToken(
  deps: ChangeAdminTokenDeps,
  caller: Caller,
  id: string,
  { body, mask, ifMatch }: Update<AdminTokenPatch>,
  authorship: Authorship,
): Promise<AdminToken> {
  const updated = readUpdatedFields(mask, body, ADMIN_TOKEN_FIELDS.updatable)
  if (!updated.ok) throw invalidArgument(updated.message)
  const names = (field: string) => updated.paths.includes(field)
  checkName(id, body)
  if (names('roles') && body.roles === undefined) throw new FieldError('roles', 'is required')
  const given = names('roles') ? [...new Set(body.roles)] : undefined
  const knownRoles = await listRoleNames(deps)
  return withLocked(deps, id, async (trx, current, now) => {
    checkRevision(current.revision, ifMatch, body.etag)
    const written = {
      title: names('title') ? (body.title ?? id) : current.title,
      roles: given ?? current.roles,
      expireTime: names('expireTime') ? readExpireTime(body.expireTime, now) : current.expireTime,
    }
    await checkRoles(trx, caller, { former: current.roles, given, knownRoles })
    if (!isLastingAdministrator(written)) await refuseLast(deps, trx, current)
    const after = await writeAdminToken(trx, id, written, now)
    await deps.recordAdminToken(trx, { verb: 'UPDATE', before: current, after }, authorship, now)
    return after
  })
}

/** Deletes a token: at once it is nobody's, on every instance. Throws as an update does. */
export async function deleteAdminToken(
  deps: ChangeAdminTokenDeps,
  caller: Caller,
  id: string,
  ifMatch: IfMatch,
  authorship: Authorship,
): Promise<void> {
  await withLocked(deps, id, async (trx, current, now) => {
    checkRevision(current.revision, ifMatch)
    await checkRoles(trx, caller, { former: current.roles })
    await refuseLast(deps, trx, current)
    await deleteAdminTokenRow(trx, id, now)
    await deps.recordAdminToken(trx, { verb: 'DELETE', before: current }, authorship, now)
  })
}

function withLocked<Result>(
  { db, clock }: ChangeAdminTokenDeps,
  id: string,
  change: (trx: Database['kysely'], current: AdminToken, now: Date) => Promise<Result>,
): Promise<Result> {
  if (id === FIRST_ADMIN_TOKEN) {
    throw new RequestError(
      'failed_precondition',
      'adminTokens/first is the setting ADMIN_TOKEN: change it, or take it out, where the service is started.',
    )
  }
  return db.kysely.transaction().execute(async (trx) => {
    const current = await lockAdminToken(trx, id)
    if (current === undefined) throw new RequestError('not_found', 'There is no such admin token.')
    return change(trx, current, new Date(clock()))
  })
}

/** Throws where a token, which is about to be none any more, is the last that administers for good. */
async function refuseLast(
  { hasFirstAdministrator }: ChangeAdminTokenDeps,
  trx: Database['kysely'],
  current: AdminToken,
): Promise<void> {
  if (hasFirstAdministrator || !isLastingAdministrator(current)) return
  const others = (await findLastingAdministrators(trx)).filter((id) => id !== current.id)
  if (others.length > 0) return
  throw new RequestError(
    'failed_precondition',
    `adminTokens/${current.id} is the last administrator: make another admin token first that has roles/workspaceAdmin and does not expire, or set ADMIN_TOKEN.`,
  )
}

function checkName(id: string, { name }: AdminTokenPatch): void {
  if (name !== undefined && name !== `adminTokens/${id}`) {
    throw invalidArgument(`name must be adminTokens/${id}, or left out: it follows from the id.`)
  }
}

/**
 * Keeps the roles from going until the transaction ends. Throws `invalid_argument` for one that is given and not there
 * (`knownRoles` are those that are, to be named), and `permission_denied` unless the caller holds all of both: who may
 * not give a role may not take it away either.
 */
async function checkRoles(
  trx: Database['kysely'],
  caller: Caller,
  {
    former = [],
    given = [],
    knownRoles = [],
  }: {
    readonly former?: readonly string[]
    readonly given?: readonly string[] | undefined
    readonly knownRoles?: readonly string[]
  },
): Promise<void> {
  const all = [...former, ...given]
  const held = await holdRoles(trx, all)
  const unknown = given.findIndex((role) => !held.has(role))
  if (unknown >= 0) {
    throw new FieldError(`roles[${unknown}]`, roleProblem(given[unknown] ?? '', knownRoles))
  }
  checkMayGive(
    caller,
    all.map((role) => ({ role, projectId: null })),
    held,
  )
}

/** Outside of a transaction: the embedded database has one connection. */
async function listRoleNames({ roles }: ChangeAdminTokenDeps): Promise<readonly string[]> {
  return [...(await roles.listOwnPermissions()).keys()]
}

function readExpireTime(expireTime: number | null | undefined, now: Date): Date | null {
  if (expireTime === undefined || expireTime === null) return null
  if (expireTime <= now.getTime()) throw new FieldError('expireTime', 'must be ahead')
  return new Date(expireTime)
}
