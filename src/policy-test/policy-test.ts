import type { JsonObject } from '../json.ts'
import type { Verdict } from '../policy/verdict.ts'

/** A test that is stored with an identity: what an exchange with a token of these claims has to come to. */
export type PolicyTest = {
  readonly title: string
  readonly claims: JsonObject
  /** The moment at which it is decided; where it is absent the claims' `iat`, or else that of the run. */
  readonly time?: string
  readonly expect: 'ALLOWED' | 'DENIED'
  /** Any will do where it is absent. */
  readonly reason?: string
}

/** What a test came to; `message` and `verdict` (null where no policy gave one) only where that is not as expected. */
export type TestResult = {
  readonly title: string
  readonly passed: boolean
  readonly expected: { readonly outcome: 'ALLOWED' | 'DENIED'; readonly reason?: string }
  readonly actual: { readonly outcome: 'ALLOWED' | 'DENIED' | 'FAILED'; readonly reason: string }
  readonly message?: string
  readonly verdict?: Verdict | null
}
