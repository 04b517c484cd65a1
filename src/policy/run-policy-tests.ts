import type { EvaluationResult } from './evaluation.ts'
import type { Verdict } from './verdict.ts'

/** What is expected of a policy: of a token with these claims, that it is allowed or denied, and for which reason. */
export type PolicyTest = {
  readonly title: string
  readonly claims: Readonly<Record<string, unknown>>
  /** Whose claims they are, where the policy is for more than one provider. */
  readonly provider?: string | undefined
  readonly expect: 'ALLOWED' | 'DENIED'
  /** A decision's reason, or the code of what must not be met; undefined: any will do. */
  readonly reason?: string | undefined
}

export type PolicyTestResult = {
  readonly title: string
  readonly passed: boolean
  readonly outcome: 'ALLOWED' | 'DENIED' | 'FAILED'
  /** Why, as a decision has it, and the codes that are not met. */
  readonly reason: string
  readonly unmet: readonly string[]
}

/** Holds a policy to its tests; `evaluate` gives for each input what came of it, up to the first that fails. */
export async function runPolicyTests(
  tests: readonly PolicyTest[],
  evaluate: (inputTexts: readonly string[]) => Promise<readonly EvaluationResult[]>,
  inputOf: (test: PolicyTest) => object,
): Promise<readonly PolicyTestResult[]> {
  const results = await evaluate(
    tests.map((test) => JSON.stringify({ claims: test.claims, ...inputOf(test) })),
  )
  return results.flatMap((result, index) => {
    const test = tests[index]
    return test === undefined ? [] : [judge(test, result)]
  })
}

/** What a failed test says: what was expected, and what came. */
export function describeTestResult(test: PolicyTest, { outcome, reason, unmet }: PolicyTestResult): string {
  const wanted = test.reason === undefined ? test.expect : `${test.expect} (${test.reason})`
  const why = unmet.length === 0 ? reason : `${reason}: ${unmet.join(', ')}`
  return `expected ${wanted}, but it is ${outcome}${outcome === 'ALLOWED' ? '' : ` (${why})`}`
}

function judge(test: PolicyTest, result: EvaluationResult): PolicyTestResult {
  const { title } = test
  if (!result.ok) return { title, passed: false, outcome: 'FAILED', reason: result.reason, unmet: [] }
  const outcome = result.allow ? 'ALLOWED' : 'DENIED'
  const reason = result.denial ?? 'allowed'
  const unmet = unmetCodes(JSON.parse(result.verdictText))
  const isReason = test.reason === undefined || test.reason === reason || unmet.includes(test.reason)
  return { title, passed: test.expect === outcome && isReason, outcome, reason, unmet }
}

function unmetCodes({ rules, conditions, guardrails }: Verdict): readonly string[] {
  const ofRules = rules.some(({ met }) => met)
    ? []
    : rules.flatMap((rule) =>
        Object.entries(rule.conditions).flatMap(([code, { met }]) => (met ? [] : [code])),
      )
  const demanded = [...conditions, ...guardrails].filter(({ met }) => !met).map(({ code }) => code)
  return [...new Set([...ofRules, ...demanded])]
}
