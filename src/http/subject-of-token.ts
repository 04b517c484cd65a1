import type { Subject } from '../access/grant-store.ts'
import type { StoredIdentity } from '../identity/identity-store.ts'
import type { AccessTokenClaims } from '../issuance/access-token.ts'

/**
 * Whoever an access token stands for, with what the rules that it met still give: of the token's roles none that its
 * rule does not give any more, and none that the rule gives only since. A rule that is gone or disabled counts for nothing.
 */
export function subjectOfToken(
  claims: Pick<AccessTokenClaims, 'rules' | 'roles' | 'projects'>,
  { id, project, workloadIdentityConfig }: StoredIdentity,
): Subject {
  const held = new Set([...claims.roles, ...claims.projects.flatMap(({ roles }) => roles)])
  return {
    identityId: id,
    projectId: project?.id ?? null,
    rules: workloadIdentityConfig.rules
      .filter((rule) => !rule.disabled && claims.rules.includes(rule.id))
      .map((rule) => ({ id: rule.id, roles: rule.roles.filter((role) => held.has(role)) })),
  }
}
