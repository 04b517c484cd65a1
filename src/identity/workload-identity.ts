import type { Gift } from '../access/caller.ts'
import type { Finding } from '../finding/finding.ts'
import type { PolicyTest } from '../policy-test/policy-test.ts'
import type { ProviderType } from '../provider/providers.ts'
import type { Acknowledgement } from './acknowledge-findings.ts'
import type { Rule } from './rule.ts'

export type SubjectTokenUse = 'ONCE' | 'MANY'

/** Whose tokens an identity takes and what they must say; rules have every default written out. */
export type WorkloadIdentityConfig = {
  readonly providerType: ProviderType
  readonly issuerUrl: string
  readonly allowedAudiences: readonly string[]
  readonly rules: readonly Rule[]
  /** The identity's own Rego, `package claimgate.conditions`; absent where it has none. */
  readonly conditions?: string
}

/** What an identity's author decides; the rest of the resource is ours. */
export type WorkloadIdentitySpec = {
  readonly title: string
  readonly tokenLifetimeSeconds: number
  readonly subjectTokenUse: SubjectTokenUse
  readonly tokenAudiences: readonly string[]
  readonly recordedClaims: readonly string[]
  readonly workloadIdentityConfig: WorkloadIdentityConfig
  readonly tests: readonly PolicyTest[]
}

/** All roles that an identity's rules give, those of disabled rules too. */
export function rolesOf({
  workloadIdentityConfig,
}: Pick<WorkloadIdentitySpec, 'workloadIdentityConfig'>): readonly string[] {
  return workloadIdentityConfig.rules.flatMap(({ roles }) => roles)
}

/** The same with where they count: of a project's identity in that project only. */
export function giftsOf(
  spec: Pick<WorkloadIdentitySpec, 'workloadIdentityConfig'>,
  projectId: string | null,
): readonly Gift[] {
  return rolesOf(spec).map((role) => ({ role, projectId }))
}

/** The resource as it is answered; times are RFC 3339. `findings` and `notices` only in answers to a change. */
export type WorkloadIdentity = WorkloadIdentitySpec & {
  readonly name: string
  readonly email: string
  readonly state: 'ACTIVE' | 'DISABLED' | 'DELETED'
  readonly etag: string
  readonly createTime: string
  readonly updateTime: string
  readonly policyDigest: string
  readonly acknowledgements?: readonly Acknowledgement[]
  readonly findings?: readonly Finding[]
  readonly notices?: readonly string[]
}
