import type { ClientConfig } from '../../config/env.ts'
import { RequestError } from '../../errors.ts'
import { parseWorkloadIdentity } from '../../identity/parse-workload-identity.ts'
import type { WorkloadIdentitySpec } from '../../identity/workload-identity.ts'
import { createLog } from '../../log.ts'
import { createPolicyCompiler, type PolicyModules } from '../../policy/compile-policy.ts'
import { limitConcurrency } from '../../policy/limit-concurrency.ts'
import { createOpa } from '../../policy/opa.ts'
import { opaBinary } from '../../policy/opa-binary.ts'
import type { PolicyProblem } from '../../policy/policy-problem.ts'
import { createPreparePolicy, POLICIES_DIR, type PreparedPolicy } from '../../policy/prepare-policy.ts'
import { createSmokeRunner, type SmokeRun } from '../../policy/smoke-run.ts'
import type { FileProblem } from '../../policy-file/file-problem.ts'
import type { PolicyFile } from '../../policy-file/read-policy-file.ts'
import { PolicyFileError, policyFileReader } from './open-folder.ts'

/** Makes policies of files as the service does, without one. */
export type OfflinePolicies = {
  /** What a file becomes, every default written out. */
  specOf(policyFile: PolicyFile): WorkloadIdentitySpec
  /** The modules of its policy, which are not compiled. */
  gather(policyFile: PolicyFile): PolicyModules
  /** Its policy, compiled and tried. Throws `PolicyFileError` with the problems that it has. */
  prepare(policyFile: PolicyFile): Promise<Required<PreparedPolicy>>
  readonly smokeRun: SmokeRun
  close(): Promise<void>
}

/** The compiler runs two at a time; who waits for it is only kept from being refused. */
const AT_ONCE = 4

export async function openOfflinePolicies(config: ClientConfig): Promise<OfflinePolicies> {
  const opa = createOpa({ binary: opaBinary(config.opaBin), log: createLog('silent') })
  const compiler = await createPolicyCompiler({ opa, policiesDir: POLICIES_DIR })
  const { run: smokeRun, close } = createSmokeRunner()
  const preparePolicy = createPreparePolicy({ compiler, policies: { has: async () => false }, smokeRun })
  const inTurn = limitConcurrency(AT_ONCE, Number.POSITIVE_INFINITY, '')
  const reader = policyFileReader(config)

  const specOf = ({ body, email, problemAt }: PolicyFile): WorkloadIdentitySpec => {
    const { state: _, ...stated } = body
    const parsed = parseWorkloadIdentity(stated, { ...reader, email })
    if (parsed.ok) return parsed.spec
    throw new PolicyFileError([problemAt([], `${parsed.field} ${parsed.message}`)])
  }
  return {
    specOf,
    gather: (policyFile) =>
      compiler.gather({ provider: 'GITLAB', rules: specOf(policyFile).workloadIdentityConfig.rules }),
    async prepare(policyFile) {
      try {
        const { rules } = specOf(policyFile).workloadIdentityConfig
        const { digest, policy } = await inTurn(() => preparePolicy(rules))
        if (policy === undefined)
          throw new Error('The policy was compiled before, which nothing remembers here.')
        return { digest, policy }
      } catch (error) {
        throw placedError(error, policyFile)
      }
    },
    smokeRun,
    close,
  }
}

/** What the compiler says of a policy, where it stands in the files. */
function placedError(error: unknown, policyFile: PolicyFile): unknown {
  if (!(error instanceof RequestError)) return error
  const [details] = error.details as readonly [{ readonly problems: readonly PolicyProblem[] }?]
  const problems = details?.problems ?? []
  if (problems.length === 0) return new PolicyFileError([policyFile.problemAt([], error.message)])
  return new PolicyFileError(problems.map((problem) => placeProblem(problem, policyFile)))
}

/** A problem of the conditions has its own line, one of what rules were made into stands at the rules. */
export function placeProblem(problem: PolicyProblem, { conditionsFile, problemAt }: PolicyFile): FileProblem {
  const { file, row, column, code, hint } = problem
  const message = `${code}: ${problem.message}${hint === undefined ? '' : ` ${hint}`}`
  if (file === 'conditions.rego' && conditionsFile !== undefined) {
    return { file: conditionsFile, line: row, column, field: '', message }
  }
  return problemAt(['workloadIdentityConfig', 'rules'], message)
}
