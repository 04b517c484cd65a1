import { z } from 'zod'
import type { Clock } from '../clock.ts'
import type { Database } from '../db/database.ts'
import { violatedConstraint } from '../db/database-fault.ts'
import { invalidArgument, RequestError } from '../errors.ts'
import type { JsonObject } from '../json.ts'
import { DEFAULT_ALGORITHMS, SIGNATURE_ALGORITHMS } from './algorithms.ts'
import { insertIssuer, type NewIssuer, type StoredIssuer } from './issuer-store.ts'
import { describeUnusedKeys, publicMembersOf, validateJwks } from './jwks.ts'

/** A title as every resource's: one line that a job's script can echo. */
const title = z
  .string()
  .min(1)
  .max(200)
  .regex(
    /^[^\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069\\]*$/u,
    'must be one line without control characters and backslashes',
  )

/** The body of a create; `name`, `keys` and times are ours and ignored there (AIP-203). */
export const issuerBody = z.strictObject({
  name: z.unknown().optional(),
  keys: z.unknown().optional(),
  createTime: z.unknown().optional(),
  updateTime: z.unknown().optional(),
  issuerUrl: z.string(),
  title: title.optional(),
  providerType: z.literal('GITLAB', { error: 'must be GITLAB, the only provider of this version' }),
  state: z.literal('ACTIVE', { error: 'must be ACTIVE, or left out' }).optional(),
  algorithms: z.array(z.enum(SIGNATURE_ALGORITHMS)).min(1).optional(),
  jwks: z.looseObject({ keys: z.array(z.looseObject({})) }).nullish(),
})

export type CreateIssuerDeps = {
  readonly db: Database
  readonly clock: Clock
  readonly checkIssuerUrl: (issuerUrl: string) => string | undefined
}

export type CreatedIssuer = { readonly issuer: StoredIssuer; readonly notices: readonly string[] }

/** Registers an issuer; it need not be reachable. Static keys that cannot be used are told of. Throws `invalid_argument` or `already_exists`. */
export async function createIssuer(
  deps: CreateIssuerDeps,
  id: string,
  body: z.infer<typeof issuerBody>,
): Promise<CreatedIssuer> {
  if (!/^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/.test(id)) {
    throw invalidArgument(
      "issuerId must be lower-case letters, digits and '-', begin with a letter, at most 63.",
    )
  }
  const urlProblem = deps.checkIssuerUrl(body.issuerUrl)
  if (urlProblem !== undefined) throw invalidArgument(`issuerUrl ${urlProblem}.`)
  const keysProblem = body.jwks ? validateJwks(body.jwks) : undefined
  if (keysProblem !== undefined) throw invalidArgument(`jwks ${keysProblem}.`)
  const issuer: NewIssuer = {
    id,
    issuerUrl: body.issuerUrl,
    title: body.title ?? body.issuerUrl,
    providerType: body.providerType,
    state: 'ACTIVE',
    algorithms: [...new Set(body.algorithms ?? DEFAULT_ALGORITHMS[body.providerType])],
    jwks: body.jwks ? (publicMembersOf(body.jwks as { keys: JsonObject[] }) as NewIssuer['jwks']) : null,
  }
  try {
    const stored = await insertIssuer(deps.db.kysely, issuer, new Date(deps.clock()))
    return {
      issuer: stored,
      notices: issuer.jwks === null ? [] : describeUnusedKeys(issuer.jwks, issuer.algorithms),
    }
  } catch (error) {
    if (violatedConstraint(error) === undefined) throw error
    throw new RequestError('already_exists', 'An issuer with this id or this issuerUrl exists already.')
  }
}
