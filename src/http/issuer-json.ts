import { z } from 'zod'
import type { KeyStatus } from '../issuer/issuer.ts'
import type { StoredIssuer } from '../issuer/issuer-store.ts'
import { PROVIDER_TYPES } from '../provider/providers.ts'

export const issuerAnswer = z
  .strictObject({
    name: z.string().meta({ description: '`issuers/` and its id.' }),
    issuerUrl: z.string(),
    title: z.string(),
    providerType: z.enum(PROVIDER_TYPES),
    state: z.enum(['ACTIVE', 'DISABLED', 'DELETED']),
    etag: z.string(),
    algorithms: z.array(z.string()),
    jwks: z
      .looseObject({ keys: z.array(z.record(z.string(), z.unknown())) })
      .optional()
      .meta({ description: 'Static keys (RFC 7517), which are never fetched.' }),
    keys: z
      .strictObject({
        fetchTime: z.iso.datetime().nullable(),
        keyIds: z.array(z.string()),
        lastError: z.string().nullable(),
      })
      .meta({ description: 'What the instance that answers knows of its keys.' }),
    createTime: z.iso.datetime(),
    updateTime: z.iso.datetime(),
    notices: z.array(z.string()).optional(),
  })
  .meta({ id: 'Issuer' })

/**
 * An issuer as it is answered, with what this process knows of its keys; `notices` only in the answer to a change that
 * has something to say.
 */
export function issuerJson(issuer: StoredIssuer, keys: KeyStatus, notices: readonly string[] = []) {
  return { ...storedIssuerJson(issuer), keys, ...(notices.length > 0 && { notices }) }
}

/** All of an issuer that is stored, and so the same whichever instance answers. */
export function storedIssuerJson(issuer: StoredIssuer) {
  return {
    name: `issuers/${issuer.id}`,
    issuerUrl: issuer.issuerUrl,
    title: issuer.title,
    providerType: issuer.providerType,
    state: issuer.state,
    etag: issuer.revision,
    algorithms: issuer.algorithms,
    ...(issuer.jwks !== null && { jwks: issuer.jwks }),
    createTime: issuer.createTime.toISOString(),
    updateTime: issuer.updateTime.toISOString(),
  }
}
