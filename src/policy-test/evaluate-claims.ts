import type { Clock } from '../clock.ts'
import { RequestError } from '../errors.ts'
import type { StoredIdentity } from '../identity/identity-store.ts'
import type { JsonObject } from '../json.ts'
import type { EvaluationResult } from '../policy/evaluate.ts'
import type { Verdict } from '../policy/verdict.ts'
import type { RunPolicyTestsDeps } from './run-policy-tests.ts'

export type EvaluateClaimsDeps = Pick<RunPolicyTestsDeps, 'recordableClaims' | 'policyInput'> & {
  readonly clock: Clock
  readonly evaluatePolicy: (digest: string, input: string) => Promise<EvaluationResult>
}

/**
 * The verdict of an identity's policy on a token with these claims, as an exchange at this moment would record it.
 * Throws `failed_precondition` where the policy fails on them, `unavailable` when too many evaluations wait.
 */
export async function evaluateClaims(
  deps: EvaluateClaimsDeps,
  identity: StoredIdentity,
  claims: JsonObject,
): Promise<Verdict> {
  const seen = JSON.stringify(deps.recordableClaims(claims, identity.recordedClaims))
  const { email, project, workloadIdentityConfig } = identity
  const input = deps.policyInput(
    seen,
    deps.clock(),
    email,
    project?.id ?? '',
    workloadIdentityConfig.providerType,
  )
  const evaluation = await deps.evaluatePolicy(identity.policyDigest, input)
  if (evaluation.ok) return JSON.parse(evaluation.verdictText)
  throw new RequestError(
    'failed_precondition',
    `The policy fails on these claims (${evaluation.reason}): an exchange with them would be refused.`,
  )
}
