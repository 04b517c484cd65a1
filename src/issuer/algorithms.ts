import type { ProviderType, SignatureAlgorithm } from './issuer.ts'

/** The signature algorithms (RFC 7518, RFC 8037) that an issuer may be given; never `none`, never a shared secret. */
export const SIGNATURE_ALGORITHMS = [
  'RS256',
  'ES256',
  'ES384',
  'PS256',
  'EdDSA',
] as const satisfies SignatureAlgorithm[]

/** What a provider's tokens are signed with unless its issuer says otherwise. */
export const DEFAULT_ALGORITHMS: Readonly<Record<ProviderType, readonly SignatureAlgorithm[]>> = {
  GITLAB: ['RS256'],
}
