import { z } from 'zod'
import { invalidArgument } from '../errors.ts'
import type { MaskFields } from '../fields/field-mask.ts'
import { title } from '../fields/title.ts'
import type { JsonObject } from '../json.ts'
import { PROVIDER_TYPES } from '../provider/providers.ts'
import { SIGNATURE_ALGORITHMS } from './algorithms.ts'
import type { Issuer } from './issuer.ts'
import { publicMembersOf, validateJwks } from './jwks.ts'

const algorithms = z.array(z.enum(SIGNATURE_ALGORITHMS)).min(1)
const jwks = z.looseObject({ keys: z.array(z.looseObject({})) }).nullable()

/** What is ours to say: ignored in a body, so that what was answered can be given back (AIP-203). */
const outputOnly = {
  name: z.unknown().optional(),
  keys: z.unknown().optional(),
  createTime: z.unknown().optional(),
  updateTime: z.unknown().optional(),
  notices: z.unknown().optional(),
}

/** The body of a create. */
export const issuerBody = z.strictObject({
  ...outputOnly,
  etag: z.unknown().optional(),
  issuerUrl: z.string(),
  title: title.optional(),
  providerType: z.enum(PROVIDER_TYPES),
  state: z.literal('ACTIVE', { error: 'must be ACTIVE, or left out' }).optional(),
  algorithms: algorithms.optional(),
  jwks: jwks.optional(),
})

/** The body of an update. */
export const issuerPatch = z.strictObject({
  ...outputOnly,
  etag: z.string().optional(),
  issuerUrl: z.string().optional(),
  title: title.optional(),
  providerType: z.string().optional(),
  state: z.enum(['ACTIVE', 'DISABLED']).optional(),
  algorithms: algorithms.optional(),
  jwks: jwks.optional(),
})

/** The fields that an update may name, two of them only as they are, and the others. */
export const ISSUER_FIELDS: MaskFields = {
  updatable: ['title', 'state', 'algorithms', 'jwks', 'issuerUrl', 'providerType'],
  outputOnly: ['name', 'etag', 'keys', 'createTime', 'updateTime', 'notices'],
}

/** Static keys as they are kept, null where none are given; throws `invalid_argument` where they must not be. */
export function readStaticKeys(given: z.infer<typeof jwks> | undefined): Issuer['jwks'] {
  if (given === undefined || given === null) return null
  const problem = validateJwks(given)
  if (problem !== undefined) throw invalidArgument(`jwks ${problem}.`)
  return publicMembersOf(given as { keys: JsonObject[] }) as Issuer['jwks']
}
