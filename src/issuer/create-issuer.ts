import type { z } from 'zod'
import type { RecordChange } from '../change/change.ts'
import type { Clock } from '../clock.ts'
import type { Database } from '../db/database.ts'
import { violatedConstraint } from '../db/database-fault.ts'
import { invalidArgument, RequestError } from '../errors.ts'
import type { Authorship } from '../fields/authorship.ts'
import { isResourceId, RESOURCE_ID_RULE } from '../fields/resource-id.ts'
import { PROVIDERS, providerOfIssuer } from '../provider/providers.ts'
import { type issuerBody, readStaticKeys } from './issuer-fields.ts'
import { createIssuerStore, insertIssuer, type NewIssuer, type StoredIssuer } from './issuer-store.ts'
import { describeUnusedKeys } from './jwks.ts'

export type CreateIssuerDeps = {
  readonly db: Database
  readonly clock: Clock
  readonly checkIssuerUrl: (issuerUrl: string) => string | undefined
  readonly recordIssuer: RecordChange<StoredIssuer>
}

/** `notices` tell of static keys that cannot be used. */
export type SavedIssuer = { readonly issuer: StoredIssuer; readonly notices: readonly string[] }

/** Registers an issuer; it need not be reachable. Throws `invalid_argument` or `already_exists`. */
export async function createIssuer(
  deps: CreateIssuerDeps,
  id: string,
  body: z.infer<typeof issuerBody>,
  authorship: Authorship,
): Promise<SavedIssuer> {
  if (!isResourceId(id)) throw invalidArgument(`issuerId ${RESOURCE_ID_RULE}.`)
  const urlProblem = deps.checkIssuerUrl(body.issuerUrl)
  if (urlProblem !== undefined) throw invalidArgument(`issuerUrl ${urlProblem}.`)
  const owner = providerOfIssuer(body.issuerUrl) ?? body.providerType
  if (owner !== body.providerType)
    throw invalidArgument(`providerType must be ${owner}, as ${body.issuerUrl} is its issuer.`)
  const issuer: NewIssuer = {
    id,
    issuerUrl: body.issuerUrl,
    title: body.title ?? body.issuerUrl,
    providerType: body.providerType,
    state: 'ACTIVE',
    algorithms: [...new Set(body.algorithms ?? PROVIDERS[body.providerType].algorithms)],
    jwks: readStaticKeys(body.jwks),
  }
  try {
    const stored = await deps.db.kysely
      .transaction()
      .execute((trx) => registerIssuer(deps, trx, issuer, authorship, new Date(deps.clock())))
    return { issuer: stored, notices: unusedKeys(stored) }
  } catch (error) {
    if (violatedConstraint(error) === undefined) throw error
    throw await alreadyExists(deps.db, issuer)
  }
}

/** Adds an issuer, and to the changes that it was. Throws the database's unique violation where its id or URL is taken. */
export async function registerIssuer(
  { recordIssuer }: Pick<CreateIssuerDeps, 'recordIssuer'>,
  trx: Database['kysely'],
  issuer: NewIssuer,
  authorship: Authorship,
  now: Date,
): Promise<StoredIssuer> {
  const stored = await insertIssuer(trx, issuer, now)
  await recordIssuer(trx, { verb: 'CREATE', after: stored }, authorship, now)
  return stored
}

/** A sentence for each static key that will never verify a token. */
export function unusedKeys({ jwks, algorithms }: StoredIssuer): readonly string[] {
  return jwks === null ? [] : describeUnusedKeys(jwks, algorithms)
}

async function alreadyExists(db: Database, { id, issuerUrl }: NewIssuer): Promise<RequestError> {
  const issuers = createIssuerStore(db)
  const taken = (await issuers.get(id)) ?? (await issuers.findByUrl(issuerUrl))
  const name = `issuers/${taken?.id ?? id}`
  const what =
    taken?.id === id || taken === undefined ? `${name} exists already` : `${issuerUrl} is ${name} already`
  const mend = taken?.state === 'DELETED' ? `, deleted: bring it back by POST /v1/${name}:undelete` : ''
  return new RequestError('already_exists', `${what}${mend}.`)
}
