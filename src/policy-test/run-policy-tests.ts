import type { Clock } from '../clock.ts'
import { RequestError } from '../errors.ts'
import { shownText } from '../fields/field-path.ts'
import { timeOfTest } from '../fields/test-time.ts'
import type { WorkloadIdentitySpec } from '../identity/workload-identity.ts'
import type { JsonObject } from '../json.ts'
import type { EvaluationResult } from '../policy/evaluation.ts'
import type { PolicyCode } from '../policy/policy-code.ts'
import type { PreparedPolicy } from '../policy/prepare-policy.ts'
import type { SmokeRun } from '../policy/smoke-run.ts'
import type { ProviderType } from '../provider/providers.ts'
import { explainVerdict } from './explain-verdict.ts'
import { type JudgeDeps, judgeClaims } from './judge-claims.ts'
import type { PolicyTest, TestResult } from './policy-test.ts'

/** What tests are judged with, whatever runs them. */
export type JudgeTestsDeps = JudgeDeps & {
  readonly clock: Clock
  readonly recordableClaims: (claims: JsonObject, recordedClaims: readonly string[]) => JsonObject
  /** What a policy is asked, as JSON text. */
  readonly policyInput: (
    claims: string,
    timeMs: number,
    email: string,
    project: string,
    provider: ProviderType,
  ) => string
}

export type RunPolicyTestsDeps = JudgeTestsDeps & {
  readonly smokeRun: SmokeRun
  readonly loadCode: (digest: string) => Promise<PolicyCode | undefined>
  /** The organisation's guardrails as they are now; their digest is null where there are none. */
  readonly currentGuardrails: () => Promise<{ readonly digest: string | null }>
}

/** An identity as it is going to be saved, with its policy. */
export type TestedIdentity = {
  readonly email: string
  readonly projectId: string | null
  readonly spec: WorkloadIdentitySpec
  readonly policy: PreparedPolicy
}

/** Whose tests they are, as far as their outcome depends on it. */
export type TestSubject = Pick<TestedIdentity, 'email' | 'projectId'> & {
  readonly spec: Pick<WorkloadIdentitySpec, 'workloadIdentityConfig' | 'recordedClaims'>
}

/**
 * Runs an identity's tests on its policy, which may not be stored yet, with the guardrails of the moment beside it, as an
 * exchange would. Once the policy fails on one (`FAILED`), those after it may be left out. Throws `unavailable` when
 * too many policies are being tried.
 */
export async function runPolicyTests(
  deps: RunPolicyTestsDeps,
  identity: TestedIdentity,
): Promise<readonly TestResult[]> {
  const { spec, policy } = identity
  const { tests } = spec
  if (tests.length === 0) return []
  const { digest: guardrails } = await deps.currentGuardrails()
  const [code, guardrailsCode] = await Promise.all([
    policy.policy?.wasm ?? storedCode(deps, policy.digest),
    guardrails === null ? undefined : storedCode(deps, guardrails),
  ])
  const inputs = tests.map((test) => inputOfTest(deps, identity, test))
  const evaluations = await deps.smokeRun(code, inputs, guardrailsCode)
  return tests.flatMap((test, index) => {
    const evaluation = evaluations[index]
    return evaluation === undefined ? [] : resultOfTest(deps, identity, test, evaluation)
  })
}

/** What a policy is asked of a test, as JSON text. */
export function inputOfTest(
  deps: JudgeTestsDeps,
  { email, projectId, spec: { recordedClaims, workloadIdentityConfig } }: TestSubject,
  test: PolicyTest,
): string {
  const seen = JSON.stringify(deps.recordableClaims(test.claims, recordedClaims))
  const time = timeOfTest(test, deps.clock())
  return deps.policyInput(seen, time, email, projectId ?? '', workloadIdentityConfig.providerType)
}

async function storedCode({ loadCode }: RunPolicyTestsDeps, digest: string): Promise<PolicyCode> {
  const code = await loadCode(digest)
  if (code === undefined) throw new RequestError('internal', 'A policy that is in force is missing.')
  return code
}

/** What a test came to by what the policy says, judged as an exchange would be. */
export function resultOfTest(
  deps: JudgeTestsDeps,
  { spec }: TestSubject,
  { title, claims, expect, reason }: PolicyTest,
  evaluation: EvaluationResult,
): TestResult {
  const { verdict, ...actual } = judgeClaims(deps, claims, spec.workloadIdentityConfig, evaluation)
  const expected = { outcome: expect, ...(reason !== undefined && { reason }) }
  const passed = actual.outcome === expect && (reason === undefined || actual.reason === reason)
  if (passed) return { title, passed, expected, actual }
  const why = explainVerdict(verdict)
  const message = `Test ${shownText(title)} expects ${said(expected)}, but an exchange would be ${said(actual)}${why === '' ? '' : `: ${why}`}.`
  return { title, passed, expected, actual, message, verdict }
}

function said({ outcome, reason }: { readonly outcome: string; readonly reason?: string }): string {
  return reason === undefined || reason === 'allowed' ? outcome : `${outcome} (${reason})`
}
