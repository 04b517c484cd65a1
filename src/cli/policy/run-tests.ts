import type { EvaluationResult } from '../../policy/evaluate.ts'
import type { SmokeRun } from '../../policy/smoke-run.ts'
import type { Verdict } from '../../policy/verdict.ts'
import type { PolicyTest } from '../../policy-file/policy-file-schema.ts'
import type { PolicyFile } from '../../policy-file/read-policy-file.ts'

export type TestResult = {
  readonly title: string
  readonly passed: boolean
  /** Why it failed, in words. */
  readonly explanation?: string
}

/** Runs a file's tests through its policy's WASM, as an exchange would at this time. */
export async function runPolicyTests(
  { tests, email, project }: Pick<PolicyFile, 'tests' | 'email' | 'project'>,
  wasm: Uint8Array,
  deps: { readonly smokeRun: SmokeRun; readonly provider: string; readonly timeSeconds: number },
): Promise<readonly TestResult[]> {
  const results: TestResult[] = []
  for (const test of tests) {
    const input = {
      claims: test.claims,
      time: deps.timeSeconds,
      identity: { email, project: project ?? '' },
      provider: deps.provider,
    }
    const [result] = await deps.smokeRun(wasm, [JSON.stringify(input)])
    if (result === undefined) throw new Error('The policy was not run.')
    results.push(judge(test, result))
  }
  return results
}

function judge({ title, expect, reason: wanted }: PolicyTest, result: EvaluationResult): TestResult {
  const outcome = result.ok && result.allow ? 'ALLOWED' : 'DENIED'
  const reason = result.ok ? (result.allow ? 'allowed' : 'condition_not_met') : result.reason
  if (outcome === expect && (wanted === undefined || wanted === reason)) return { title, passed: true }
  const asWanted = wanted === undefined ? expect : `${expect} (${wanted})`
  return {
    title,
    passed: false,
    explanation: `expected ${asWanted}, but it is ${outcome} (${reason}): ${why(result)}`,
  }
}

function why(result: EvaluationResult): string {
  if (!result.ok) return result.cause
  const { rules } = JSON.parse(result.verdictText) as Verdict
  if (result.allow) {
    const met = rules.filter((rule) => rule.met).map(({ id }) => `'${id}'`)
    return `it meets the rule ${met.join(' and ')}`
  }
  return rules
    .map(({ id, conditions }) => {
      const unmet = Object.entries(conditions).filter(([, { met }]) => !met)
      const shown = unmet.map(([code, { claim, expected, actual }]) => {
        const is = actual === null ? 'is not in the token' : `is ${JSON.stringify(actual)}`
        return `${code} (${claim} ${is}, expected ${expected})`
      })
      return `the rule '${id}' misses ${shown.join(', ')}`
    })
    .join('; ')
}
