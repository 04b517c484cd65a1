/** A role that the subject of an access decision has, or could have: from a rule of its identity, or a membership. */
export type AccessGrant = {
  readonly role: string
  readonly from: 'rule' | 'member'
  /** The id of the rule that a token must have met; '': none. */
  readonly rule: string
  /** `workspaces/default`, or `projects/ID`. */
  readonly on: string
}

export const ACCESS_REASONS = ['allowed', 'rule_not_met', 'role_missing', 'permission_unknown'] as const

/** What the policy of access decisions said, as it is recorded. */
export type AccessVerdict = {
  readonly allow: boolean
  readonly reason: (typeof ACCESS_REASONS)[number]
  /** What gives the permission. */
  readonly grants: readonly AccessGrant[]
  /** What would give it on a resource: roles, and grants to tokens that met another rule. Nothing where it is held. */
  readonly missing: {
    readonly on: string
    readonly roles: readonly string[]
    readonly grants: readonly AccessGrant[]
  }
}
