import type { JSONWebKeySet } from 'jose'
import type { ProviderType } from '../provider/providers.ts'

export type SignatureAlgorithm = 'RS256' | 'ES256' | 'ES384' | 'PS256' | 'EdDSA'

/** Somebody whose tokens we verify. `jwks` given: these keys and no others, nothing is fetched. */
export type Issuer = {
  readonly id: string
  readonly issuerUrl: string
  readonly title: string
  readonly providerType: ProviderType
  readonly state: 'ACTIVE' | 'DISABLED' | 'DELETED'
  readonly algorithms: readonly SignatureAlgorithm[]
  readonly jwks: JSONWebKeySet | null
  readonly revision: string
}

/** What the key cache knows of an issuer; times are ISO 8601. `lastError` names a cause without remote text. */
export type KeyStatus = {
  readonly fetchTime: string | null
  readonly keyIds: readonly string[]
  readonly lastError: string | null
}
