import type { KeyObject } from 'node:crypto'

/** A public key as the platform verifies with it. */
export type VerificationKey = KeyObject

/** The answer to "which key is this": `message` is a sentence for a job's log, without remote text or addresses. */
export type KeyLookup =
  | { readonly found: true; readonly key: VerificationKey }
  | { readonly found: false; readonly reason: 'token_key' | 'issuer_unavailable'; readonly message: string }
