import { invalidArgument } from '../errors.ts'
import type { PolicyCompiler } from './compile-policy.ts'
import type { PolicyStore, StoredPolicy } from './policy-store.ts'
import { metWithoutClaims, type PreparedPolicy, problemsIn, sampleProblem } from './prepare-policy.ts'
import { describeTestResult, type PolicyTest, runPolicyTests } from './run-policy-tests.ts'
import type { SmokeRun } from './smoke-run.ts'

/**
 * The policy of guardrails, compiled and held to their tests; throws `invalid_argument` with the problems that it has,
 * or the tests that it fails.
 */
export type PrepareGuardrails = (source: string, tests: readonly PolicyTest[]) => Promise<PreparedPolicy>

/** Any would do: it is every identity's and every time's. */
const SAMPLE_INPUT = { time: 0, identity: { email: 'sample@claimgate.internal', project: '' } }
const PROVIDER = 'GITLAB'
const FAULT = 'source does not make guardrails'

export function createPrepareGuardrails(deps: {
  readonly compiler: PolicyCompiler
  readonly policies: Pick<PolicyStore, 'loadWasm'>
  readonly smokeRun: SmokeRun
}): PrepareGuardrails {
  const { compiler, policies, smokeRun } = deps
  return async (source, tests) => {
    const gathered = compiler.gatherGuardrails(source)
    const { digest, compiler: compiledBy, entrypoint, modules } = gathered
    const stored = await policies.loadWasm(digest)
    const wasm = stored ?? (await compileAndTryOut(compiler, gathered, smokeRun))
    await holdToTests(wasm, tests, smokeRun)
    if (stored !== undefined) return { digest }
    const policy: StoredPolicy = { digest, compiler: compiledBy, entrypoint, modules, wasm }
    return { digest, policy }
  }
}

async function compileAndTryOut(
  compiler: PolicyCompiler,
  gathered: ReturnType<PolicyCompiler['gatherGuardrails']>,
  smokeRun: SmokeRun,
): Promise<Uint8Array> {
  const compiled = await compiler.compile(gathered)
  if (!compiled.ok) throw problemsIn(FAULT, compiled.problems)
  const [withoutClaims] = await smokeRun(compiled.wasm, [inputText({}, PROVIDER)], 'guardrails')
  if (withoutClaims?.ok === false) {
    throw problemsIn(FAULT, [sampleProblem(withoutClaims, 'guardrails.rego')])
  }
  const problems = metWithoutClaims(compiled.requirements, withoutClaims, 'guardrails')
  if (problems.length > 0) throw problemsIn(FAULT, problems)
  return compiled.wasm
}

async function holdToTests(
  wasm: Uint8Array,
  tests: readonly PolicyTest[],
  smokeRun: SmokeRun,
): Promise<void> {
  const results = await runPolicyTests(
    tests,
    (inputs) => smokeRun(wasm, inputs, 'guardrails'),
    ({ provider = PROVIDER }) => ({ ...SAMPLE_INPUT, provider }),
  )
  const failed = results.flatMap((result, index) => {
    const test = tests[index]
    return test === undefined || result.passed
      ? []
      : [{ ...result, message: describeTestResult(test, result) }]
  })
  const [first] = failed
  if (first === undefined) return
  throw invalidArgument(
    `source does not pass ${failed.length} of its ${tests.length} tests: '${first.title}': ${first.message}.`,
    [{ problems: [], tests: failed }],
  )
}

function inputText(claims: object, provider: string): string {
  return JSON.stringify({ claims, ...SAMPLE_INPUT, provider })
}
