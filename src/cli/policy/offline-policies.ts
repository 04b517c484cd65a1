import { systemClock } from '../../clock.ts'
import type { ClientConfig } from '../../config/env.ts'
import { RequestError } from '../../errors.ts'
import { recordableClaims } from '../../identity/recordable-claims.ts'
import type { WorkloadIdentityConfig } from '../../identity/workload-identity.ts'
import { createLog } from '../../log.ts'
import { createPolicyCompiler, type IdentitySource, type PolicyModules } from '../../policy/compile-policy.ts'
import { limitConcurrency } from '../../policy/limit-concurrency.ts'
import { createOpa } from '../../policy/opa.ts'
import { opaBinary } from '../../policy/opa-binary.ts'
import { type PolicyProblem, problemText } from '../../policy/policy-problem.ts'
import { createPrepareGuardrails } from '../../policy/prepare-guardrails.ts'
import { createPreparePolicy, POLICIES_DIR, type PreparedPolicy } from '../../policy/prepare-policy.ts'
import { createSmokeRunner } from '../../policy/smoke-run.ts'
import { testGuardrails } from '../../policy/test-guardrails.ts'
import type { FileProblem } from '../../policy-file/file-problem.ts'
import type { GuardrailsFiles } from '../../policy-file/read-guardrails-files.ts'
import type { PolicyFile } from '../../policy-file/read-policy-file.ts'
import type { TestResult } from '../../policy-test/policy-test.ts'
import { runPolicyTests } from '../../policy-test/run-policy-tests.ts'
import { policyInput } from '../../provider/policy-input.ts'
import { checkClaims } from '../../token/check-claims.ts'
import { PolicyFileError, policyFileReader, specOf } from './open-folder.ts'

/** Makes policies of files as the service does, without one. */
export type OfflinePolicies = {
  /** The modules of its policy, which are not compiled. */
  gather(policyFile: PolicyFile): PolicyModules
  /** Its policy, compiled and tried. Throws `PolicyFileError` with the problems that it has. */
  prepare(policyFile: PolicyFile): Promise<Required<PreparedPolicy>>
  /** What its tests come to on its policy, beside the guardrails if any. Throws as `prepare`, also of these. */
  runTests(policyFile: PolicyFile): Promise<readonly TestResult[]>
  /** Undefined where there are none, or are to be none. */
  gatherGuardrails(): PolicyModules | undefined
  /** Their policy, compiled and tried; undefined where there are none. Throws as `prepare`. */
  prepareGuardrails(): Promise<Required<PreparedPolicy> | undefined>
  /** What their tests come to. Throws as `prepare`. */
  runGuardrailsTests(): Promise<readonly TestResult[]>
  close(): Promise<void>
}

/** The compiler runs two at a time; who waits for it is only kept from being refused. */
const AT_ONCE = 4

/** `guardrails`: those that stand beside these identities' policies. */
export async function openOfflinePolicies(
  config: ClientConfig,
  guardrails?: GuardrailsFiles,
): Promise<OfflinePolicies> {
  const opa = createOpa({ binary: opaBinary(config.opaBin), log: createLog('silent') })
  const compiler = await createPolicyCompiler({ opa, policiesDir: POLICIES_DIR })
  const { run: smokeRun, close } = createSmokeRunner()
  const preparePolicy = createPreparePolicy({ compiler, policies: { has: async () => false }, smokeRun })
  const inTurn = limitConcurrency(AT_ONCE, Number.POSITIVE_INFINITY, '')
  const reader = policyFileReader(config)
  const judging = { recordableClaims, policyInput, checkClaims }
  const prepareSource = createPrepareGuardrails({
    clock: systemClock,
    compiler,
    policies: { loadCode: async () => undefined },
    smokeRun,
    refuseFailedTests: () => undefined,
  })
  let prepared: Promise<Required<PreparedPolicy> | undefined> | undefined
  const prepareOnce = async () => {
    if (guardrails === undefined || guardrails.source === '') return undefined
    try {
      return compiledOf(await prepareSource(guardrails.source, []))
    } catch (error) {
      throw placedGuardrailsError(error, guardrails)
    }
  }
  const prepareGuardrails = () => {
    prepared ??= prepareOnce()
    return prepared
  }
  const testing = {
    clock: systemClock,
    smokeRun,
    currentGuardrails: async () => ({ digest: (await prepareGuardrails())?.digest ?? null }),
    loadCode: async () => (await prepareGuardrails())?.policy.wasm,
    ...judging,
  }

  const prepare = async (policyFile: PolicyFile): Promise<Required<PreparedPolicy>> => {
    try {
      const source = specOf(reader, policyFile).workloadIdentityConfig
      return compiledOf(await inTurn(() => preparePolicy(source)))
    } catch (error) {
      throw placedError(error, policyFile)
    }
  }
  return {
    gather: (policyFile) => compiler.gather(sourceOf(specOf(reader, policyFile).workloadIdentityConfig)),
    prepare,
    async runTests(policyFile) {
      const policy = await prepare(policyFile)
      const { email, project: projectId = null } = policyFile
      return inTurn(() =>
        runPolicyTests(testing, { email, projectId, spec: specOf(reader, policyFile), policy }),
      )
    },
    gatherGuardrails: () =>
      guardrails === undefined || guardrails.source === ''
        ? undefined
        : compiler.gatherGuardrails(guardrails.source),
    prepareGuardrails,
    async runGuardrailsTests() {
      const policy = await prepareGuardrails()
      if (policy === undefined || guardrails === undefined) return []
      return testGuardrails(smokeRun, policy.policy.wasm, guardrails.tests, systemClock())
    },
    close,
  }
}

function compiledOf({ digest, policy }: PreparedPolicy): Required<PreparedPolicy> {
  if (policy === undefined) throw new Error('The policy is stored already, which nothing is here.')
  return { digest, policy }
}

function sourceOf({
  providerType: provider,
  rules,
  conditions = '',
}: WorkloadIdentityConfig): IdentitySource {
  return { provider, rules, conditions }
}

function problemsIn({ details }: RequestError): readonly PolicyProblem[] {
  const [first] = details as readonly [{ readonly problems: readonly PolicyProblem[] }?]
  return first?.problems ?? []
}

function placedGuardrailsError(error: unknown, guardrails: GuardrailsFiles): unknown {
  if (!(error instanceof RequestError)) return error
  const problems = problemsIn(error)
  if (problems.length === 0) return error
  return new PolicyFileError(problems.map((problem) => placeGuardrailsProblem(problem, guardrails)))
}

/** A problem of the guardrails, where it stands in their file. */
export function placeGuardrailsProblem(problem: PolicyProblem, { file }: GuardrailsFiles): FileProblem {
  return { file, line: problem.row, column: problem.column, field: '', message: messageOf(problem) }
}

function messageOf(problem: PolicyProblem): string {
  return `${problem.code}: ${problemText(problem)}`
}

/** What the compiler says of a policy, where it stands in the files. */
function placedError(error: unknown, policyFile: PolicyFile): unknown {
  if (!(error instanceof RequestError)) return error
  const problems = problemsIn(error)
  if (problems.length === 0) return new PolicyFileError([policyFile.problemAt([], error.message)])
  return new PolicyFileError(problems.map((problem) => placeProblem(problem, policyFile)))
}

/** A problem of the conditions has its own line, one of what rules were made into stands at the rules. */
export function placeProblem(problem: PolicyProblem, { conditionsFile, problemAt }: PolicyFile): FileProblem {
  const { file, row, column } = problem
  const message = messageOf(problem)
  if (file === 'conditions.rego' && conditionsFile !== undefined) {
    return { file: conditionsFile, line: row, column, field: '', message }
  }
  return problemAt(['workloadIdentityConfig', 'rules'], message)
}
