import { invalidArgument } from '../errors.ts'
import type { TestResult } from './policy-test.ts'

/** What a refusal shows of the tests that failed; `:validate` shows them all. */
const MAX_SHOWN = 20

/** Throws `invalid_argument`, with the tests in its details, where one did not come to what it expects. */
export function refuseFailedTests(results: readonly TestResult[]): void {
  const failed = results.filter(({ passed }) => !passed)
  const [first] = failed
  if (first === undefined) return
  const count = failed.length === 1 ? 'a test fails' : `${failed.length} tests fail`
  throw invalidArgument(`tests: ${count}. ${first.message}`, [{ tests: failed.slice(0, MAX_SHOWN) }])
}
