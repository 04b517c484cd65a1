import { fileURLToPath } from 'node:url'
import { invalidArgument } from '../errors.ts'
import type { Rule } from '../identity/rule.ts'
import { PROVIDERS, type ProviderType } from '../provider/providers.ts'
import type { PolicyCompiler } from './compile-policy.ts'
import type { PolicyProblem } from './policy-problem.ts'
import type { PolicyStore, StoredPolicy } from './policy-store.ts'
import { sampleClaims } from './sample-claims.ts'
import type { SmokeRun } from './smoke-run.ts'

/** `policy` is there only where it has yet to be stored: equal rules have one policy, which is compiled once. */
export type PreparedPolicy = { readonly digest: string; readonly policy?: StoredPolicy }

/** What of an identity becomes its policy. */
export type PolicySource = { readonly providerType: ProviderType; readonly rules: readonly Rule[] }

/** The policy of these rules, compiled and tried; throws `invalid_argument` with the problems that it has. */
export type PreparePolicy = (source: PolicySource) => Promise<PreparedPolicy>

export type PreparePolicyDeps = {
  readonly compiler: PolicyCompiler
  readonly policies: Pick<PolicyStore, 'has'>
  readonly smokeRun: SmokeRun
}

/** Where the base policies, the schemas and the capabilities are. */
export const POLICIES_DIR = fileURLToPath(new URL('../../policies', import.meta.url))

/** Any would do: the base policies read nothing of it but the provider. */
const SAMPLE_INPUT = {
  time: 0,
  identity: { email: 'sample@claimgate.internal', project: '' },
}

export function createPreparePolicy({ compiler, policies, smokeRun }: PreparePolicyDeps): PreparePolicy {
  return async (source) => {
    const { providerType: provider, rules } = source
    const gathered = compiler.gather({ provider, rules })
    const { digest, entrypoint, modules } = gathered
    if (await policies.has(digest)) return { digest }

    const compiled = await compiler.compile(gathered)
    const problems = compiled.ok ? await tryOut(smokeRun, compiled.wasm, source) : compiled.problems
    if (!compiled.ok || problems.length > 0) throw refusal(problems)
    return {
      digest,
      policy: { digest, compiler: gathered.compiler, entrypoint, modules, wasm: compiled.wasm },
    }
  }
}

/** Runs the policy on a sample of what each rule admits: all must be answered in time, and allowed. */
async function tryOut(
  smokeRun: SmokeRun,
  wasm: Uint8Array,
  { providerType, rules }: PolicySource,
): Promise<readonly PolicyProblem[]> {
  const samples = rules
    .filter(({ disabled }) => !disabled)
    .map((rule) => ({ rule, ...sampleClaims(rule, PROVIDERS[providerType]) }))
  const inputs = [{}, ...samples.map(({ claims }) => claims)].map((claims) =>
    JSON.stringify({ claims, ...SAMPLE_INPUT, provider: providerType }),
  )
  const [withoutClaims, ...results] = await smokeRun(wasm, inputs)
  const failed = [withoutClaims, ...results].find((result) => result?.ok === false)
  if (failed?.ok === false) return [problem(failed.reason, `The policy fails on a sample: ${failed.cause}`)]
  if (withoutClaims?.ok === true && withoutClaims.allow) {
    return [problem('sample_allowed', 'The policy allows a token without any claims.')]
  }
  return samples
    .filter(({ admitted }, index) => admitted && results[index]?.ok === true && !results[index].allow)
    .map(({ rule }) =>
      problem('sample_denied', `The policy denies a sample that the rule '${rule.id}' admits.`),
    )
}

function refusal(problems: readonly PolicyProblem[]): Error {
  const [first] = problems
  const where = first === undefined ? '' : `: ${[first.file, first.row].join(':')}: ${first.message}`
  return invalidArgument(`workloadIdentityConfig.rules do not make a policy${where}`, [{ problems }])
}

function problem(code: string, message: string): PolicyProblem {
  return { code, message, file: 'rules.rego', row: 1, column: 1 }
}
