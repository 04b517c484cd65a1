import type { Grant } from '../decision/decision.ts'
import type { StoredIdentity } from '../identity/identity-store.ts'
import type { EvaluationResult } from '../policy/evaluate.ts'
import { PROVIDERS } from '../provider/providers.ts'
import type { VerifiedToken } from '../token/verify-token.ts'
import type { DecideDeps, ExchangeRequest } from './decide.ts'

/** What the access token of an allowed exchange will say; its times follow from the decision's. */
export function grantFor(
  deps: Pick<DecideDeps, 'publicUrl' | 'signingKeyId'>,
  request: Pick<ExchangeRequest, 'audience'>,
  token: VerifiedToken,
  identity: StoredIdentity,
  evaluation: Extract<EvaluationResult, { ok: true }>,
  decideTimeMs: number,
): Grant {
  const issueTime = Math.floor(decideTimeMs / 1000)
  const { project } = identity
  return {
    email: identity.email,
    audience: request.audience ?? deps.publicUrl,
    // Apart, so that no service behind us takes a project's roles for the workspace's.
    roles: project === null ? evaluation.roles : [],
    projects: project === null ? [] : [{ name: `projects/${project.id}`, roles: evaluation.roles }],
    rules: evaluation.ruleIds,
    workload: workloadOf(token),
    keyId: deps.signingKeyId(),
    issueTime,
    expireTime: issueTime + identity.tokenLifetimeSeconds,
  }
}

/** What a service behind us may want to write into its own audit log: where the token comes from, and nobody's name. */
function workloadOf({ claims, issuer }: VerifiedToken): Record<string, string> {
  const workload: Record<string, string> = { provider: issuer.providerType }
  for (const [name, claim] of Object.entries(PROVIDERS[issuer.providerType].workload)) {
    const value = claims[claim]
    if (typeof value === 'string') workload[name] = value
  }
  return workload
}
