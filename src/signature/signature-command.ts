import type { KeyObject } from 'node:crypto'
import type { SignatureAlgorithm } from '../issuer/issuer.ts'

/**
 * What the thread is told, in this order; all of one tick goes in one message. A key is sent once and then known by a
 * number: taking one over costs more than using it.
 */
export type SignatureCommand =
  | { readonly kind: 'hold'; readonly number: number; readonly key: KeyObject }
  | { readonly kind: 'drop'; readonly number: number }
  | {
      readonly kind: 'verify'
      readonly number: number
      readonly algorithm: SignatureAlgorithm
      readonly jws: string
    }
  | { readonly kind: 'sign'; readonly number: number; readonly signingInput: string }

/** To each `verify` and `sign`, in their order. */
export type SignatureAnswer =
  | { readonly ok: true; readonly value: boolean | string }
  | { readonly ok: false; readonly problem: string }
