import { recordableClaims } from '../identity/recordable-claims.ts'
import {
  type FailingTests,
  findFailingTests,
  type GuardrailsDigests,
} from '../policy-test/find-failing-tests.ts'
import { policyInput } from '../provider/policy-input.ts'
import { checkClaims } from '../token/check-claims.ts'
import { createImpactThread, type ImpactThread } from './impact-thread.ts'
import type { Parts } from './parts.ts'

/** Which identities' stored tests would fail beside other guardrails; undefined where none would. */
export type SearchFailingTests = (
  guardrails: GuardrailsDigests,
  options?: {
    /** One that knows policies which are not stored yet. */
    readonly thread?: ImpactThread
    readonly caller?: AbortSignal | undefined
    readonly isLeftOut?: (email: string) => boolean
  },
) => Promise<FailingTests | undefined>

/** Some ten thousand tests; the answer to a save must not be waited for longer. */
const SEARCH_WITHIN_MS = 3_000

const NOT_LOOKED_AT: FailingTests = { looked: 0, count: 0, identities: [], isComplete: false }

export function createFailingTestsSearch(
  parts: Pick<Parts, 'policies' | 'decisions' | 'log' | 'clock' | 'identities'>,
  withinMs = SEARCH_WITHIN_MS,
): SearchFailingTests {
  return async (guardrails, { thread: given, caller, isLeftOut = () => false } = {}) => {
    if (guardrails.before === guardrails.after) return undefined
    const thread = given ?? createImpactThread(parts)
    const timeout = AbortSignal.timeout(withinMs)
    const signal = caller === undefined ? timeout : AbortSignal.any([caller, timeout])
    const stop = () => void thread.stop()
    signal.addEventListener('abort', stop)
    try {
      const found = await findFailingTests(
        {
          evaluate: thread.evaluate,
          listTested: parts.identities.listTested,
          clock: parts.clock,
          recordableClaims,
          policyInput,
          checkClaims,
        },
        guardrails,
        { signal, isLeftOut },
      )
      return found.isComplete && found.count === 0 ? undefined : found
    } catch (error) {
      // What was saved is saved, whether or not this can be told.
      parts.log.warn({ cause: String(error) }, 'the tests of identities were not looked at')
      return NOT_LOOKED_AT
    } finally {
      signal.removeEventListener('abort', stop)
      if (given === undefined) await thread.stop()
    }
  }
}
