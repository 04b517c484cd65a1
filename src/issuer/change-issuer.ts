import type { z } from 'zod'
import type { Clock } from '../clock.ts'
import type { Database } from '../db/database.ts'
import { changedMeanwhile, invalidArgument, RequestError } from '../errors.ts'
import { readUpdateMask } from '../fields/read-update-mask.ts'
import { DEFAULT_ALGORITHMS } from './algorithms.ts'
import { type SavedIssuer, unusedKeys } from './create-issuer.ts'
import type { Issuer } from './issuer.ts'
import { CHANGEABLE_FIELDS, type issuerPatch, OTHER_FIELDS, readStaticKeys } from './issuer-fields.ts'
import { changeIssuer, type IssuerChange, type StoredIssuer } from './issuer-store.ts'

export type ChangeIssuerDeps = { readonly db: Database; readonly clock: Clock }

/** The etags of which an issuer must have one for a change to be meant for it; undefined where any will do. */
type Etags = readonly string[] | undefined

/**
 * Changes the fields that the mask names, or without one those that the body has. A field that is named and absent
 * gets its default, `jwks` none. Throws `invalid_argument`, `not_found`, and `aborted` for another etag.
 */
export async function updateIssuer(
  deps: ChangeIssuerDeps,
  id: string,
  asked: {
    readonly body: z.infer<typeof issuerPatch>
    readonly updateMask: string | undefined
    readonly ifMatch: Etags
  },
): Promise<SavedIssuer> {
  const { body, updateMask, ifMatch } = asked
  const mask = readUpdateMask(updateMask, body, CHANGEABLE_FIELDS, OTHER_FIELDS)
  if (!mask.ok) throw invalidArgument(`updateMask ${mask.problem}.`)
  if (body.state === undefined && mask.fields.includes('state') && !mask.isWhole) {
    throw invalidArgument('state is required where updateMask names it: ACTIVE or DISABLED.')
  }
  const issuer = await change(
    deps,
    id,
    [ifMatch, body.etag === undefined ? undefined : [body.etag]],
    (current) => {
      refuseDeleted(current)
      refuseAnother(current, body, mask.fields, mask.isWhole)
      return changeOf(current, body, mask.fields)
    },
  )
  return { issuer, notices: unusedKeys(issuer) }
}

/** Soft: the issuer stays, with state DELETED, and its id and URL stay taken. Throws `not_found` or `aborted`. */
export async function deleteIssuer(deps: ChangeIssuerDeps, id: string, ifMatch: Etags): Promise<void> {
  await change(deps, id, [ifMatch], (current) => {
    refuseDeleted(current)
    return { state: 'DELETED' }
  })
}

/** Brings a deleted issuer back, as ACTIVE. Throws `failed_precondition` where it is not deleted, `not_found` or `aborted`. */
export function undeleteIssuer(deps: ChangeIssuerDeps, id: string, ifMatch: Etags): Promise<StoredIssuer> {
  return change(deps, id, [ifMatch], (current) => {
    if (current.state !== 'DELETED') {
      throw new RequestError('failed_precondition', `issuers/${current.id} is not deleted.`)
    }
    return { state: 'ACTIVE' }
  })
}

async function change(
  { db, clock }: ChangeIssuerDeps,
  id: string,
  etags: readonly Etags[],
  changeOf: (issuer: StoredIssuer) => IssuerChange,
): Promise<StoredIssuer> {
  const changed = await changeIssuer(
    db,
    id,
    (current) => {
      if (etags.some((wanted) => wanted?.includes(current.revision) === false)) {
        throw changedMeanwhile(`issuers/${id}`)
      }
      return changeOf(current)
    },
    new Date(clock()),
  )
  if (changed === undefined) throw new RequestError('not_found', 'There is no such issuer.')
  return changed
}

/** Throws `not_found` for an issuer that is deleted, saying what to do first. */
export function refuseDeleted({ id, state }: Issuer): void {
  if (state !== 'DELETED') return
  throw new RequestError(
    'not_found',
    `issuers/${id} is deleted: bring it back by POST /v1/issuers/${id}:undelete.`,
  )
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
      algorithms: [...new Set(body.algorithms ?? DEFAULT_ALGORITHMS[current.providerType])],
    }),
    ...(fields.includes('jwks') && { jwks: readStaticKeys(body.jwks) }),
  }
}
