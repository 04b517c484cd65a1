import type { Clock } from '../clock.ts'
import type { TestResult } from '../policy-test/policy-test.ts'
import { PROVIDER_TYPES } from '../provider/providers.ts'
import type { PolicyCompiler, PolicyModules } from './compile-policy.ts'
import type { PolicyStore } from './policy-store.ts'
import { type PreparedPolicy, problemsIn } from './prepare-policy.ts'
import { metWithoutClaims, sampleProblem } from './sample-problems.ts'
import type { SmokeRun } from './smoke-run.ts'
import { type GuardrailsTest, guardrailsInput, testGuardrails } from './test-guardrails.ts'

/**
 * The policy of guardrails, compiled and held to their tests; throws `invalid_argument` with the problems that it has,
 * or the tests that it fails.
 */
export type PrepareGuardrails = (source: string, tests: readonly GuardrailsTest[]) => Promise<PreparedPolicy>

export type PrepareGuardrailsDeps = {
  readonly clock: Clock
  readonly compiler: PolicyCompiler
  readonly policies: Pick<PolicyStore, 'loadCode'>
  readonly smokeRun: SmokeRun
  /** Throws `invalid_argument` with the tests that failed. */
  readonly refuseFailedTests: (results: readonly TestResult[]) => void
}

const FAULT = 'source does not make guardrails'

export function createPrepareGuardrails(deps: PrepareGuardrailsDeps): PrepareGuardrails {
  const { compiler, policies, smokeRun, refuseFailedTests } = deps
  return async (source, tests) => {
    const gathered = compiler.gatherGuardrails(source)
    const { digest, entrypoint, modules } = gathered
    const stored = await policies.loadCode(digest)
    const wasm = stored ?? (await compileAndTryOut(deps, gathered))
    refuseFailedTests(await testGuardrails(smokeRun, wasm, tests, deps.clock()))
    if (stored !== undefined) return { digest }
    return { digest, policy: { digest, compiler: gathered.compiler, entrypoint, modules, wasm } }
  }
}

/** A token without claims, of whichever provider, must be answered, and meet nothing that reads claims. */
async function compileAndTryOut(
  { compiler, smokeRun }: PrepareGuardrailsDeps,
  gathered: PolicyModules,
): Promise<Uint8Array> {
  const compiled = await compiler.compile(gathered)
  if (!compiled.ok) throw problemsIn(FAULT, compiled.problems)
  const inputs = PROVIDER_TYPES.map((provider) => guardrailsInput({}, provider))
  for (const withoutClaims of await smokeRun(undefined, inputs, compiled.wasm)) {
    const problems = withoutClaims.ok
      ? metWithoutClaims(compiled.requirements, withoutClaims, 'guardrails')
      : [sampleProblem(withoutClaims, 'guardrails.rego')]
    if (problems.length > 0) throw problemsIn(FAULT, problems)
  }
  return compiled.wasm
}
