import type { StoredIdentity } from '../identity/identity-store.ts'
import type { AccessTokenClaims } from '../issuance/access-token.ts'

/** The token's roles, less those that the rules it met do not give (any more). */
export function rolesStillGranted(
  roles: readonly string[],
  claims: Pick<AccessTokenClaims, 'rules'>,
  identity: StoredIdentity,
): readonly string[] {
  const rules = identity.workloadIdentityConfig.rules.filter(
    (rule) => !rule.disabled && claims.rules.includes(rule.id),
  )
  const granted = new Set(rules.flatMap((rule) => rule.roles))
  return roles.filter((role) => granted.has(role))
}
