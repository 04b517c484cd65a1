import type { JWK } from 'jose'

/** RFC 7518 §3.4. */
export const SIGNING_ALGORITHM = 'ES256'

/**
 * PENDING: published and does not sign yet. ACTIVE: signs. RETIRED: published while tokens that it signed live.
 * DROPPED: published no more, as is REVOKED, which was taken away before that, and its tokens with it.
 */
export type SigningKeyState = 'PENDING' | 'ACTIVE' | 'RETIRED' | 'DROPPED' | 'REVOKED'

/** A signing key as it is stored. */
export type StoredSigningKey = {
  /** Its thumbprint (RFC 7638). */
  readonly kid: string
  readonly state: SigningKeyState
  readonly publicJwk: JWK
  /** The private key, sealed; null once it does not sign any more. */
  readonly sealed: string | null
  /** Published from then on. */
  readonly createTime: Date
  /** When it began to sign or, while it is PENDING, will; null where it never did. */
  readonly activateTime: Date | null
  readonly retireTime: Date | null
  /** When it was published no more or, while it is RETIRED, will be. */
  readonly dropTime: Date | null
}

/** How long verifiers may keep the key set. */
export const JWKS_MAX_AGE_MS = 300_000

/** Between the clocks of two instances, or of an instance and a verifier. */
export const CLOCK_DIFFERENCE_MS = 60_000

/**
 * So long a key is published before it signs. Once the max-age is what correct verifiers need; twice serves those that
 * keep keys for ten minutes whatever they are told, and lets an instance that cannot read the keys serve a set from
 * before for another max-age.
 */
export const PUBLISHED_AHEAD_MS = 2 * JWKS_MAX_AGE_MS + CLOCK_DIFFERENCE_MS

/** The longest that an access token lives, the largest tolerance of clocks, and what a verifier may keep. */
export const PUBLISHED_AFTER_MS = 3_600_000 + 300_000 + JWKS_MAX_AGE_MS
