import { isDeepStrictEqual } from 'node:util'
import type { z } from 'zod'
import type { RecordChange } from '../change/change.ts'
import type { Clock } from '../clock.ts'
import { checkRevision, type IfMatch } from '../db/check-revision.ts'
import type { Database } from '../db/database.ts'
import { invalidArgument, RequestError } from '../errors.ts'
import type { Authorship } from '../fields/authorship.ts'
import { readUpdatedFields, type Update } from '../fields/field-mask.ts'
import { PROVIDERS } from '../provider/providers.ts'
import { type SavedIssuer, unusedKeys } from './create-issuer.ts'
import type { Issuer } from './issuer.ts'
import { ISSUER_FIELDS, type issuerPatch, readStaticKeys } from './issuer-fields.ts'
import { type IssuerChange, lockIssuer, type StoredIssuer, writeIssuer } from './issuer-store.ts'

export type ChangeIssuerDeps = {
  readonly db: Database
  readonly clock: Clock
  readonly recordIssuer: RecordChange<StoredIssuer>
}

export type UpdateIssuerDeps = ChangeIssuerDeps & {
  /** Throws `permission_denied` unless whoever asks may say which keys an issuer has. */
  readonly checkMaySetKeys: () => void
}

/**
 * Updates the fields that the mask names, or without one those that the body has. A field that is named and absent
 * gets its default, `jwks` none. Throws `invalid_argument`, `not_found`, `failed_precondition` where it is deleted,
 * `aborted` for another etag, and `permission_denied`.
 */
export async function updateIssuer(
  deps: UpdateIssuerDeps,
  id: string,
  { body, mask, ifMatch }: Update<z.infer<typeof issuerPatch>>,
  authorship: Authorship,
): Promise<SavedIssuer> {
  const updated = readUpdatedFields(mask, body, ISSUER_FIELDS.updatable)
  if (!updated.ok) throw invalidArgument(updated.message)
  const isWhole = mask === '*'
  if (body.state === undefined && updated.paths.includes('state') && !isWhole) {
    throw invalidArgument('state is required where updateMask names it: ACTIVE or DISABLED.')
  }
  const issuer = await change(deps, id, 'UPDATE', authorship, (current) => {
    refuseDeleted(current)
    checkRevision(current.revision, ifMatch, body.etag)
    refuseAnother(current, body, updated.paths, isWhole)
    const written = changeOf(current, body, updated.paths)
    if (written.jwks !== undefined && !isDeepStrictEqual(written.jwks, current.jwks)) deps.checkMaySetKeys()
    return written
  })
  return { issuer, notices: unusedKeys(issuer) }
}

/** Soft: the issuer stays, with state DELETED, and its id and URL stay taken. Throws `not_found` or `aborted`. */
export async function deleteIssuer(
  deps: ChangeIssuerDeps,
  id: string,
  ifMatch: IfMatch,
  authorship: Authorship,
): Promise<void> {
  await change(deps, id, 'DELETE', authorship, (current) => {
    if (current.state === 'DELETED') {
      throw new RequestError('not_found', 'There is no such issuer, or it is deleted already.')
    }
    checkRevision(current.revision, ifMatch)
    return { state: 'DELETED' }
  })
}

/** Brings a deleted issuer back, as ACTIVE. Throws `failed_precondition` where it is not deleted, `not_found` or `aborted`. */
export function undeleteIssuer(
  deps: ChangeIssuerDeps,
  id: string,
  ifMatch: IfMatch,
  authorship: Authorship,
): Promise<StoredIssuer> {
  return change(deps, id, 'UNDELETE', authorship, (current) => {
    if (current.state !== 'DELETED') {
      throw new RequestError('failed_precondition', `issuers/${current.id} is not deleted.`)
    }
    checkRevision(current.revision, ifMatch)
    return { state: 'ACTIVE' }
  })
}

function change(
  { db, clock, recordIssuer }: ChangeIssuerDeps,
  id: string,
  verb: string,
  authorship: Authorship,
  changeOf: (issuer: StoredIssuer) => IssuerChange,
): Promise<StoredIssuer> {
  return db.kysely.transaction().execute(async (trx) => {
    const current = await lockIssuer(trx, id)
    if (current === undefined) throw new RequestError('not_found', 'There is no such issuer.')
    const now = new Date(clock())
    const changed = await writeIssuer(trx, id, changeOf(current), now)
    await recordIssuer(trx, { verb, before: current, after: changed }, authorship, now)
    return changed
  })
}

/** Throws `failed_precondition` for an issuer that is deleted, saying what to do first. */
export function refuseDeleted({ id, state }: Issuer): void {
  if (state !== 'DELETED') return
  throw new RequestError('failed_precondition', `issuers/${id} is deleted: undelete it first.`)
}

/** Identities and recorded decisions name an issuer by its URL: another one is another issuer. */
function refuseAnother(
  current: Issuer,
  body: z.infer<typeof issuerPatch>,
  fields: readonly string[],
  isWhole: boolean,
): void {
  for (const name of ['issuerUrl', 'providerType'] as const) {
    const isSame = body[name] === current[name] || (isWhole && body[name] === undefined)
    if (!fields.includes(name) || isSame) continue
    throw invalidArgument(`${name} cannot be changed: register another issuer.`)
  }
}

function changeOf(
  current: Issuer,
  body: z.infer<typeof issuerPatch>,
  fields: readonly string[],
): IssuerChange {
  return {
    ...(fields.includes('title') && { title: body.title ?? current.issuerUrl }),
    ...(fields.includes('state') && body.state && { state: body.state }),
    ...(fields.includes('algorithms') && {
      algorithms: [...new Set(body.algorithms ?? PROVIDERS[current.providerType].algorithms)],
    }),
    ...(fields.includes('jwks') && { jwks: readStaticKeys(body.jwks) }),
  }
}
