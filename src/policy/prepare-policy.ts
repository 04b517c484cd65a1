import { fileURLToPath } from 'node:url'
import { invalidArgument } from '../errors.ts'
import type { Rule } from '../identity/rule.ts'
import type { AuthoredKind, Requirement } from './check-module.ts'
import type { CompiledPolicy, PolicyCompiler } from './compile-policy.ts'
import type { EvaluationResult } from './evaluation.ts'
import type { PolicyProblem } from './policy-problem.ts'
import type { PolicyStore, StoredPolicy } from './policy-store.ts'
import { hintFor } from './problem-hints.ts'
import { sampleClaims } from './sample-claims.ts'
import type { SmokeRun } from './smoke-run.ts'
import type { Verdict } from './verdict.ts'

/** `policy` is there only where it has yet to be stored: equal rules have one policy, which is compiled once. */
export type PreparedPolicy = { readonly digest: string; readonly policy?: StoredPolicy }

/**
 * The policy of these rules and conditions ('' where there are none), compiled and tried; throws `invalid_argument`
 * with the problems that it has.
 */
export type PreparePolicy = (rules: readonly Rule[], conditions?: string) => Promise<PreparedPolicy>

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
  provider: 'GITLAB',
}

export function createPreparePolicy({ compiler, policies, smokeRun }: PreparePolicyDeps): PreparePolicy {
  return async (rules, conditions = '') => {
    const gathered = compiler.gather({ provider: 'GITLAB', rules, conditions })
    const { digest, entrypoint, modules } = gathered
    if (await policies.has(digest)) return { digest }

    const compiled = await compiler.compile(gathered)
    const problems = compiled.ok
      ? await tryOut(smokeRun, compiled, rules, conditions !== '')
      : compiled.problems
    if (!compiled.ok || problems.length > 0) throw refusal(problems)
    return {
      digest,
      policy: { digest, compiler: gathered.compiler, entrypoint, modules, wasm: compiled.wasm },
    }
  }
}

type Compiled = Extract<CompiledPolicy, { ok: true }>

/** Runs the policy on a sample of what each rule admits: all must be answered in time, and the rules must be met. */
async function tryOut(
  smokeRun: SmokeRun,
  { wasm, requirements }: Compiled,
  rules: readonly Rule[],
  hasConditions: boolean,
): Promise<readonly PolicyProblem[]> {
  const samples = rules.filter(({ disabled }) => !disabled).map((rule) => ({ rule, ...sampleClaims(rule) }))
  const inputs = [{}, ...samples.map(({ claims }) => claims)].map((claims) =>
    JSON.stringify({ claims, ...SAMPLE_INPUT }),
  )
  const [withoutClaims, ...results] = await smokeRun(wasm, inputs)
  const failed = [withoutClaims, ...results].find((result) => result?.ok === false)
  if (failed?.ok === false) {
    return [sampleProblem(failed, hasConditions ? 'conditions.rego' : 'rules.rego')]
  }
  if (withoutClaims?.ok === true && withoutClaims.allow) {
    return [problem('sample_allowed', 'The policy allows a token without any claims.')]
  }
  const denied = samples
    .filter(({ admitted }, index) => admitted && isDeniedByRules(results[index]))
    .map(({ rule }) =>
      problem('sample_denied', `The policy denies a sample that the rule '${rule.id}' admits.`),
    )
  return [...denied, ...metWithoutClaims(requirements, withoutClaims, 'conditions')]
}

/** What a sample set off; a conflict names its place itself. */
export function sampleProblem(
  { reason, cause }: Extract<EvaluationResult, { ok: false }>,
  file: string,
): PolicyProblem {
  const [, at = file, row = '1', column = '1', said = cause] =
    /^(?:\w+: )?(?:\.\/)?(\S+\.rego):(\d+):(\d+): (.*)$/s.exec(cause) ?? []
  const message = `A sample makes the policy fail: ${said}`
  const hint = hintFor(said)
  return {
    code: reason,
    message,
    ...(hint === undefined ? {} : { hint }),
    file: at,
    row: Number(row),
    column: Number(column),
  }
}

function isDeniedByRules(result: EvaluationResult | undefined): boolean {
  return result?.ok === true && result.denial === 'condition_not_met'
}

/** What reads claims, and is met where there are none, would be met by a token that does not have what it asks for. */
export function metWithoutClaims(
  requirements: readonly Requirement[],
  withoutClaims: EvaluationResult | undefined,
  kind: AuthoredKind,
): readonly PolicyProblem[] {
  if (withoutClaims?.ok !== true) return []
  const verdict = JSON.parse(withoutClaims.verdictText) as Verdict
  const met = new Set(verdict[kind].filter((each) => each.met).map(({ code }) => code))
  return requirements
    .filter(({ code, readsClaims }) => readsClaims && met.has(code))
    .map(({ code, place: { row, column } }) => ({
      code: 'met_without_claims',
      message: `'${code}' is met by a token that has no claims at all.`,
      hint: 'Nothing that is worked out of an absent claim may meet it: compare the claim itself with what it must be.',
      file: `${kind}.rego`,
      row,
      column,
    }))
}

function refusal(problems: readonly PolicyProblem[]): Error {
  const field = problems[0]?.file === 'conditions.rego' ? 'conditions' : 'rules'
  return problemsIn(`workloadIdentityConfig.${field} do not make a policy`, problems)
}

/** A refused save: in one line what is wrong first, and where; the problems in its details. */
export function problemsIn(what: string, problems: readonly PolicyProblem[]): Error {
  const [first] = problems
  const where = first === undefined ? '' : `: ${placeText(first)}: ${first.message}`
  return invalidArgument(`${what}${where}`, [{ problems }])
}

function placeText({ file, row, column }: PolicyProblem): string {
  return [file, row, column].join(':')
}

function problem(code: string, message: string, file = 'rules.rego'): PolicyProblem {
  return { code, message, file, row: 1, column: 1 }
}
