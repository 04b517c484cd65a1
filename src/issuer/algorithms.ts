import type { SignatureAlgorithm } from './issuer.ts'

/** The signature algorithms (RFC 7518, RFC 8037) that an issuer may be given; never `none`, never a shared secret. */
export const SIGNATURE_ALGORITHMS = [
  'RS256',
  'ES256',
  'ES384',
  'PS256',
  'EdDSA',
] as const satisfies SignatureAlgorithm[]
