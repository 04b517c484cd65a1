import type { Clock } from '../clock.ts'
import { RequestError } from '../errors.ts'
import { shownText } from '../fields/field-path.ts'
import type { WorkloadIdentitySpec } from '../identity/workload-identity.ts'
import type { JsonObject } from '../json.ts'
import type { PreparedPolicy } from '../policy/prepare-policy.ts'
import type { SmokeRun } from '../policy/smoke-run.ts'
import type { RequirementVerdict, RuleVerdict } from '../policy/verdict.ts'
import type { ProviderType } from '../provider/providers.ts'
import { type JudgeDeps, type Judgement, judgeClaims } from './judge-claims.ts'
import type { PolicyTest, TestResult } from './policy-test.ts'

export type RunPolicyTestsDeps = JudgeDeps & {
  readonly clock: Clock
  readonly smokeRun: SmokeRun
  readonly loadWasm: (digest: string) => Promise<Uint8Array | undefined>
  /** The organisation's guardrails as they are now; their digest is null where there are none. */
  readonly currentGuardrails: () => Promise<{ readonly digest: string | null }>
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

/** An identity as it is going to be saved, with its policy. */
export type TestedIdentity = {
  readonly email: string
  readonly projectId: string | null
  readonly spec: WorkloadIdentitySpec
  readonly policy: PreparedPolicy
}

/**
 * Runs an identity's tests on its policy, which may not be stored yet, with the guardrails of the moment beside it, as an
 * exchange would. Once the policy fails on one (`FAILED`), those after it may be left out. Throws `unavailable` when
 * too many policies are being tried.
 */
export async function runPolicyTests(
  deps: RunPolicyTestsDeps,
  { email, projectId, spec, policy }: TestedIdentity,
): Promise<readonly TestResult[]> {
  const { tests, workloadIdentityConfig: config, recordedClaims } = spec
  if (tests.length === 0) return []
  const { digest: guardrails } = await deps.currentGuardrails()
  const [wasm, guardrailsWasm] = await Promise.all([
    policy.policy?.wasm ?? storedWasm(deps, policy.digest),
    guardrails === null ? undefined : storedWasm(deps, guardrails),
  ])
  const inputs = tests.map(({ claims }) => {
    const seen = JSON.stringify(deps.recordableClaims(claims, recordedClaims))
    return deps.policyInput(seen, timeOf(claims, deps.clock()), email, projectId ?? '', config.providerType)
  })
  const evaluations = await deps.smokeRun(wasm, inputs, guardrailsWasm)
  return tests.flatMap((test, index) => {
    const evaluation = evaluations[index]
    return evaluation === undefined ? [] : resultOf(test, judgeClaims(deps, test.claims, config, evaluation))
  })
}

async function storedWasm({ loadWasm }: RunPolicyTestsDeps, digest: string): Promise<Uint8Array> {
  const wasm = await loadWasm(digest)
  if (wasm === undefined) throw new RequestError('internal', 'A policy that is in force is missing.')
  return wasm
}

/** A test that says when its token was issued is decided then, so that conditions on the time can be tested. */
function timeOf({ iat }: JsonObject, now: number): number {
  return typeof iat === 'number' && Number.isFinite(iat) ? iat * 1000 : now
}

function resultOf({ title, expect, reason }: PolicyTest, { verdict, ...actual }: Judgement): TestResult {
  const expected = { outcome: expect, ...(reason !== undefined && { reason }) }
  const passed = actual.outcome === expect && (reason === undefined || actual.reason === reason)
  if (passed) return { title, passed, expected, actual }
  const message = `Test ${shownText(title)} expects ${said(expected)}, but an exchange would be ${said(actual)}${explained(verdict)}.`
  return { title, passed, expected, actual, message, verdict }
}

function said({ outcome, reason }: { readonly outcome: string; readonly reason?: string }): string {
  return reason === undefined || reason === 'allowed' ? outcome : `${outcome} (${reason})`
}

/** What of the closest rule and beyond the rules is not met; or which rules are. */
function explained(verdict: Judgement['verdict']): string {
  if (verdict === null) return ''
  const met = verdict.rules.filter((rule) => rule.met)
  const missing = [
    ...(met.length > 0 ? [] : unmetOfClosest(verdict.rules)),
    ...unmetOf('of the conditions', verdict.conditions),
    // What changed may be the guardrails, and not what is saved.
    ...unmetOf("of the organisation's guardrails", verdict.guardrails),
  ]
  if (missing.length > 0) return `: ${missing.join('; ')}`
  return met.length > 0 ? `: met is rule ${met.map(({ id }) => shownText(id)).join(', ')}` : ''
}

function unmetOfClosest(rules: readonly RuleVerdict[]): readonly string[] {
  const [closest] = rules.toSorted((a, b) => unmet(a).length - unmet(b).length)
  return closest === undefined
    ? []
    : [`of rule ${shownText(closest.id)} not met is ${unmet(closest).join('; ')}`]
}

function unmetOf(what: string, requirements: readonly RequirementVerdict[]): readonly string[] {
  const codes = requirements.filter(({ met }) => !met).map(({ code }) => shownText(code))
  return codes.length === 0 ? [] : [`${what} not met is ${codes.join(', ')}`]
}

function unmet({ conditions }: RuleVerdict): readonly string[] {
  return Object.entries(conditions)
    .filter(([, { met }]) => !met)
    .map(([code, { claim, expected, actual }]) => {
      const found = actual === null ? 'missing' : JSON.stringify(actual)
      return `${code} (${claim} is ${found.slice(0, 200)}, expected ${expected.slice(0, 500)})`
    })
}
