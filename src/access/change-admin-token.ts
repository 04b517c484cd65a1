import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import type { RecordChange } from '../change/change.ts'
import type { Clock } from '../clock.ts'
import { checkRevision, type IfMatch } from '../db/check-revision.ts'
import type { Database } from '../db/database.ts'
import { FieldError, invalidArgument, RequestError } from '../errors.ts'
import type { Authorship } from '../fields/authorship.ts'
import { readUpdatedFields, type Update } from '../fields/field-mask.ts'
import { shownText } from '../fields/field-path.ts'
import { nearestName } from '../fields/nearest-name.ts'
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
import type { Authority } from './caller.ts'

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

export type ChangeAdminTokenDeps = Pick<Authority, 'checkMayGive'> & {
  readonly db: Database
  readonly clock: Clock
  readonly knownRoles: readonly string[]
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
  const roles = readRoles(deps, body.roles)
  const expireTime = readExpireTime(body.expireTime, now)
  deps.checkMayGive(roles)
  const token = newAdminSecret(id)
  const fresh = { id, title: body.title ?? id, roles, expireTime, secretHash: hashAdminSecret(token) }
  return deps.db.kysely.transaction().execute(async (trx) => {
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
  id: string,
  { body, mask, ifMatch }: Update<AdminTokenPatch>,
  authorship: Authorship,
): Promise<AdminToken> {
  const updated = readUpdatedFields(mask, body, ADMIN_TOKEN_FIELDS.updatable)
  if (!updated.ok) throw invalidArgument(updated.message)
  const names = (field: string) => updated.paths.includes(field)
  checkName(id, body)
  if (names('roles') && body.roles === undefined) throw new FieldError('roles', 'is required')
  return withLocked(deps, id, async (trx, current, now) => {
    checkRevision(current.revision, ifMatch, body.etag)
    const written = {
      title: names('title') ? (body.title ?? id) : current.title,
      roles: names('roles') ? readRoles(deps, body.roles ?? []) : current.roles,
      expireTime: names('expireTime') ? readExpireTime(body.expireTime, now) : current.expireTime,
    }
    // Of both: who may not give a role may not take it away either.
    deps.checkMayGive([...current.roles, ...written.roles])
    if (!isLastingAdministrator(written)) await refuseLast(deps, trx, current)
    const after = await writeAdminToken(trx, id, written, now)
    await deps.recordAdminToken(trx, { verb: 'UPDATE', before: current, after }, authorship, now)
    return after
  })
}

/** Deletes a token: at once it is nobody's, on every instance. Throws as an update does. */
export async function deleteAdminToken(
  deps: ChangeAdminTokenDeps,
  id: string,
  ifMatch: IfMatch,
  authorship: Authorship,
): Promise<void> {
  await withLocked(deps, id, async (trx, current, now) => {
    checkRevision(current.revision, ifMatch)
    deps.checkMayGive(current.roles)
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

function readRoles({ knownRoles }: ChangeAdminTokenDeps, roles: readonly string[]): readonly string[] {
  for (const [index, role] of roles.entries()) {
    if (knownRoles.includes(role)) continue
    const near = nearestName(role, knownRoles)
    const mend = near === undefined ? '' : `: the nearest is ${near}`
    throw new FieldError(`roles[${index}]`, `is ${shownText(role)}, which is no role${mend}`)
  }
  return [...new Set(roles)]
}

function readExpireTime(expireTime: number | null | undefined, now: Date): Date | null {
  if (expireTime === undefined || expireTime === null) return null
  if (expireTime <= now.getTime()) throw new FieldError('expireTime', 'must be ahead')
  return new Date(expireTime)
}
