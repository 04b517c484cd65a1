import type { Subject } from '../access/grant-store.ts'
import type { LiveToken } from '../issuance/find-live-token.ts'

/**
 * Whoever an access token stands for, with what the rules that it met still give: of the token's roles none that its
 * rule does not give any more, and none that the rule gives only since. A rule that is gone or disabled counts for nothing.
 */
export function subjectOfToken({ identity, identityRules, rules, claims }: LiveToken): Subject {
  const held = new Set([...claims.roles, ...claims.projects.flatMap(({ roles }) => roles)])
  return {
    identityId: identity.id,
    projectId: identity.project,
    rules: identityRules
      .filter(({ id }) => rules.includes(id))
      .map(({ id, roles }) => ({ id, roles: roles.filter((role) => held.has(role)) })),
  }
}
