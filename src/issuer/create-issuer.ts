import type { z } from 'zod'
import type { Clock } from '../clock.ts'
import type { Database } from '../db/database.ts'
import { violatedConstraint } from '../db/database-fault.ts'
import { invalidArgument, RequestError } from '../errors.ts'
import { isResourceId, RESOURCE_ID_RULE } from '../fields/resource-id.ts'
import { PROVIDERS, providerOfIssuer } from '../provider/providers.ts'
import { type issuerBody, readStaticKeys } from './issuer-fields.ts'
import { createIssuerStore, insertIssuer, type NewIssuer, type StoredIssuer } from './issuer-store.ts'
import { describeUnusedKeys } from './jwks.ts'

export type CreateIssuerDeps = {
  readonly db: Database
  readonly clock: Clock
  readonly checkIssuerUrl: (issuerUrl: string) => string | undefined
}

/** `notices` tell of static keys that cannot be used. */
export type SavedIssuer = { readonly issuer: StoredIssuer; readonly notices: readonly string[] }

/** Registers an issuer; it need not be reachable. Throws `invalid_argument` or `already_exists`. */
export async function createIssuer(
  deps: CreateIssuerDeps,
  id: string,
  body: z.infer<typeof issuerBody>,
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
    const stored = await insertIssuer(deps.db.kysely, issuer, new Date(deps.clock()))
    return { issuer: stored, notices: unusedKeys(stored) }
  } catch (error) {
    if (violatedConstraint(error) === undefined) throw error
    throw await alreadyExists(deps.db, issuer)
  }
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
