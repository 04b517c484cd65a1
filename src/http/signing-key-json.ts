import { z } from 'zod'
import type { StoredSigningKey } from '../issuance/signing-key.ts'

export const signingKeyAnswer = z
  .strictObject({
    name: z.string().meta({ description: '`signingKeys/` and the kid.' }),
    kid: z.string(),
    state: z.enum(['PENDING', 'ACTIVE', 'RETIRED', 'DROPPED', 'REVOKED']).meta({
      description:
        'PENDING is published and will sign, ACTIVE signs, RETIRED is published while its tokens live, DROPPED is published no more, REVOKED was taken away with its tokens.',
    }),
    algorithm: z.string(),
    createTime: z.iso.datetime().meta({ description: 'Published from then on.' }),
    activateTime: z.iso.datetime().nullable().meta({
      description: 'When it began to sign or, while it is PENDING, will; null where it never did.',
    }),
    retireTime: z.iso.datetime().nullable(),
    dropTime: z.iso
      .datetime()
      .nullable()
      .meta({ description: 'When it was published no more or, while it is RETIRED, will be.' }),
    publicJwk: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'SigningKey' })

/** A signing key as it is answered: nothing of what is private. */
export function signingKeyJson(key: StoredSigningKey) {
  return {
    name: `signingKeys/${key.kid}`,
    kid: key.kid,
    state: key.state,
    algorithm: String(key.publicJwk.alg),
    createTime: key.createTime.toISOString(),
    activateTime: key.activateTime?.toISOString() ?? null,
    retireTime: key.retireTime?.toISOString() ?? null,
    dropTime: key.dropTime?.toISOString() ?? null,
    publicJwk: key.publicJwk,
  }
}
