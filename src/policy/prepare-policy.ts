import { fileURLToPath } from 'node:url'
import { LRUCache } from 'lru-cache'
import { invalidArgument } from '../errors.ts'
import type { Rule } from '../identity/rule.ts'
import { PROVIDERS, type ProviderType } from '../provider/providers.ts'
import type { CompiledPolicy, PolicyCompiler } from './compile-policy.ts'
import type { EvaluationResult } from './evaluation.ts'
import { hostileSamples, wronglyMet } from './hostile-samples.ts'
import { type PolicyProblem, problemText } from './policy-problem.ts'
import type { PolicyStore, StoredPolicy } from './policy-store.ts'
import { sampleClaims } from './sample-claims.ts'
import { metWithoutClaims, sampleProblem } from './sample-problems.ts'
import type { SmokeRun } from './smoke-run.ts'

/** `policy` is there only where it has yet to be stored: equal rules have one policy, which is compiled once. */
export type PreparedPolicy = { readonly digest: string; readonly policy?: StoredPolicy }

/** What of an identity becomes its policy; `conditions` is its own Rego, absent or '' where it has none. */
export type PolicySource = {
  readonly providerType: ProviderType
  readonly rules: readonly Rule[]
  readonly conditions?: string
}

/** The policy of this, compiled and tried; throws `invalid_argument` with the problems that it has. */
export type PreparePolicy = (source: PolicySource) => Promise<PreparedPolicy>

export type PreparePolicyDeps = {
  readonly compiler: PolicyCompiler
  readonly policies: Pick<PolicyStore, 'has'>
  readonly smokeRun: SmokeRun
}

/** Where the base policies, the schemas and the capabilities are. */
export const POLICIES_DIR = fileURLToPath(new URL('../../policies', import.meta.url))

/** A policy that fails many samples fails them for one reason. */
const MAX_PROBLEMS = 20

/** Policies that people are writing at the moment: validated again and again, and stored once they are saved. */
const MAX_REMEMBERED_BYTES = 5_000_000

/** Any would do: the base policies read nothing of it but the provider. */
const SAMPLE_INPUT = {
  time: 0,
  identity: { email: 'sample@claimgate.internal', project: '' },
}

export function createPreparePolicy({ compiler, policies, smokeRun }: PreparePolicyDeps): PreparePolicy {
  const remembered = new LRUCache<string, StoredPolicy>({
    maxSize: MAX_REMEMBERED_BYTES,
    sizeCalculation: ({ wasm }) => wasm.byteLength,
  })
  return async (source) => {
    const { providerType: provider, rules, conditions = '' } = source
    const gathered = compiler.gather({ provider, rules, conditions })
    const { digest, entrypoint, modules } = gathered
    if (await policies.has(digest)) return { digest }
    const known = remembered.get(digest)
    if (known !== undefined) return { digest, policy: known }

    const compiled = await compiler.compile(gathered)
    const problems = compiled.ok ? await tryOut(smokeRun, compiled, source) : compiled.problems
    if (!compiled.ok || problems.length > 0) throw refusal(problems)
    const policy = { digest, compiler: gathered.compiler, entrypoint, modules, wasm: compiled.wasm }
    remembered.set(digest, policy)
    return { digest, policy }
  }
}

type Compiled = Extract<CompiledPolicy, { ok: true }>

/**
 * Runs the policy on a sample of what each rule admits, and on what each must refuse: all must be answered in time, the
 * former allowed, the latter not.
 */
async function tryOut(
  smokeRun: SmokeRun,
  { wasm, requirements }: Compiled,
  { providerType, rules: allRules, conditions = '' }: PolicySource,
): Promise<readonly PolicyProblem[]> {
  const rules = allRules.filter(({ disabled }) => !disabled)
  const samples = rules.map((rule) => ({ rule, ...sampleClaims(rule, PROVIDERS[providerType]) }))
  const hostile = hostileSamples(providerType, rules)
  const inputs = [{}, ...[...samples, ...hostile].map(({ claims }) => claims)].map((claims) =>
    JSON.stringify({ claims, ...SAMPLE_INPUT, provider: providerType }),
  )
  const [withoutClaims, ...results] = await smokeRun(wasm, inputs)
  const failed = [withoutClaims, ...results].find((result) => result?.ok === false)
  if (failed?.ok === false) {
    return [sampleProblem(failed, conditions === '' ? 'rules.rego' : 'conditions.rego')]
  }
  if (withoutClaims?.ok === true && withoutClaims.allow) {
    return [problem('sample_allowed', 'The policy allows a token without any claims.')]
  }
  const denied = samples
    .filter(({ admitted }, index) => admitted && isDeniedByRules(results[index]))
    .map(({ rule }) =>
      problem('sample_denied', `The policy denies a sample that the rule '${rule.id}' admits.`),
    )
  const letIn = hostile.flatMap(({ title, rule, claims }, index) => {
    const result = results[samples.length + index]
    const met = result?.ok === true ? wronglyMet(providerType, rules, claims, result.ruleIds) : undefined
    if (met === undefined) return []
    return problem(
      'hostile_sample_met',
      `The rule '${met.id}' is met by ${title} (made from the rule '${rule.id}'), which it does not admit.`,
    )
  })
  const demanded = metWithoutClaims(requirements, withoutClaims, 'conditions')
  return [...denied, ...letIn, ...demanded].slice(0, MAX_PROBLEMS)
}

function isDeniedByRules(result: EvaluationResult | undefined): boolean {
  return result?.ok === true && result.denial === 'condition_not_met'
}

function refusal(problems: readonly PolicyProblem[]): Error {
  const field = problems[0]?.file === 'conditions.rego' ? 'conditions' : 'rules'
  return problemsIn(`workloadIdentityConfig.${field} do not make a policy`, problems)
}

/** A refused save: in one line what is wrong first, where, and how to mend it; the problems in its details. */
export function problemsIn(what: string, problems: readonly PolicyProblem[]): Error {
  const [first] = problems
  const where = first === undefined ? '' : `: ${placeText(first)}: ${problemText(first)}`
  return invalidArgument(`${what}${where}`, [{ problems }])
}

function placeText({ file, row, column }: PolicyProblem): string {
  return [file, row, column].join(':')
}

function problem(code: string, message: string): PolicyProblem {
  return { code, message, file: 'rules.rego', row: 1, column: 1 }
}
