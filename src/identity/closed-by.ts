import type { StoredIdentity } from './identity-store.ts'

/** What a change takes from an identity's access tokens: all that they are worth, or what some rules gave. */
export type Closed = { readonly isDisabled: boolean; readonly rules: readonly string[] }

/** What a change closed: whether it disabled the identity, and the ids of the rules that it disabled or removed. */
export function closedBy(before: StoredIdentity, after: StoredIdentity): Closed {
  const left = enabledRules(after)
  return {
    isDisabled: before.state === 'ACTIVE' && after.state !== 'ACTIVE',
    rules: enabledRules(before).filter((id) => !left.includes(id)),
  }
}

function enabledRules({ workloadIdentityConfig: { rules } }: StoredIdentity): readonly string[] {
  return rules.filter((rule) => !rule.disabled).map((rule) => rule.id)
}
