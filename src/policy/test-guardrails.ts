import { shownText } from '../fields/field-path.ts'
import { timeOfTest } from '../fields/test-time.ts'
import type { PolicyTest, TestResult } from '../policy-test/policy-test.ts'
import type { ProviderType } from '../provider/providers.ts'
import type { EvaluationResult } from './evaluation.ts'
import type { SmokeRun } from './smoke-run.ts'
import type { Verdict } from './verdict.ts'

/** What guardrails have to say of a token with these claims; `reason` may also be a code that must not be met. */
export type GuardrailsTest = PolicyTest & {
  /** Whose claims they are; GitLab's where it is absent. */
  readonly provider?: ProviderType
}

/** Any would do: guardrails are every identity's. */
const SAMPLE_IDENTITY = { email: 'sample@claimgate.internal', project: '' }

/** The input of guardrails that are tried, as JSON text. */
export function guardrailsInput(claims: object, provider: ProviderType = 'GITLAB', timeMs = 0): string {
  const time = Math.floor(timeMs / 1000)
  return JSON.stringify({ claims, time, identity: SAMPLE_IDENTITY, provider })
}

/** Runs guardrails' tests on their policy; once it fails on one (`FAILED`), those after it may be left out. */
export async function testGuardrails(
  smokeRun: SmokeRun,
  wasm: Uint8Array,
  tests: readonly GuardrailsTest[],
  now: number,
): Promise<readonly TestResult[]> {
  const inputs = tests.map((test) => guardrailsInput(test.claims, test.provider, timeOfTest(test, now)))
  const evaluations = await smokeRun(undefined, inputs, wasm)
  return tests.flatMap((test, index) => {
    const evaluation = evaluations[index]
    return evaluation === undefined ? [] : resultOf(test, evaluation)
  })
}

function resultOf({ title, expect, reason }: GuardrailsTest, evaluation: EvaluationResult): TestResult {
  const verdict = evaluation.ok ? (JSON.parse(evaluation.verdictText) as Verdict) : null
  const unmet = verdict?.guardrails.filter(({ met }) => !met).map(({ code }) => code) ?? []
  const expected = { outcome: expect, ...(reason !== undefined && { reason }) }
  const actual = actualOf(evaluation)
  const isReason = reason === undefined || reason === actual.reason || unmet.includes(reason)
  if (actual.outcome === expect && isReason) return { title, passed: true, expected, actual }
  const wanted = reason === undefined ? expect : `${expect} (${reason})`
  const why =
    unmet.length === 0 ? '' : `: ${unmet.map((code) => `guardrail ${shownText(code)} is not met`).join('; ')}`
  const message = `Test ${shownText(title)} expects ${wanted}, but the guardrails say ${actual.outcome}${why}.`
  return { title, passed: false, expected, actual, message, verdict }
}

function actualOf(evaluation: EvaluationResult): TestResult['actual'] {
  if (!evaluation.ok) return { outcome: 'FAILED', reason: evaluation.reason }
  return { outcome: evaluation.allow ? 'ALLOWED' : 'DENIED', reason: evaluation.denial ?? 'allowed' }
}
