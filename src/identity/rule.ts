/** One branch or tag pattern: `*` stays within a path segment, `/**` may only end it. */
export type RefPattern = { readonly type: 'BRANCH' | 'TAG'; readonly pattern: string }

/**
 * One way into an identity, with every default written out: what is stored, and what becomes `rules.rego`.
 * All of its conditions must be met; `project` is '' where the rule covers every project of the group.
 */
export type Rule = {
  readonly id: string
  readonly title: string
  readonly disabled: boolean
  readonly group: string
  readonly project: string
  readonly refs: readonly RefPattern[]
  readonly protectedRefsOnly: boolean
  readonly mergeRequests: 'NONE' | 'SAME_PROJECT'
  readonly pipelineSources: readonly string[]
  readonly claims: Readonly<Record<string, readonly string[]>>
  readonly ids: { readonly projectIds: readonly string[]; readonly namespaceIds: readonly string[] }
  readonly roles: readonly string[]
}
