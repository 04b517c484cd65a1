import type { Rule } from '../identity/rule.ts'

/** What may be constant in all that met a rule. */
export type SuggestionCode =
  | 'one_project'
  | 'one_ref'
  | 'protected_refs'
  | 'no_merge_requests'
  | 'one_source'
  | 'one_project_id'
  | 'one_namespace_id'
  | 'one_claim_value'

/** A condition that all of a rule's exchanges met and that it does not ask for. */
export type Suggestion = {
  readonly code: SuggestionCode
  /** The id of the rule that it is about. */
  readonly rule: string
  /** Those of the rule that change, as in `ids.projectIds`. */
  readonly fields: readonly string[]
  readonly message: string
  readonly change: string
  /** How many exchanges it was made from, all of which it lets in. */
  readonly exchanges: number
  /** When the first of these was decided. */
  readonly since: Date
  /** The whole rule as it would be. */
  readonly edited: Rule
}

/** How much there is to say of a rule. */
export type RuleEvidence = {
  readonly rule: string
  readonly exchanges: number
  readonly since: Date | undefined
}

/** Rules that have let nobody in for a long time. */
export type UnusedRules = {
  readonly since: Date
  /** Whether the decisions since then are there to be looked at; no rule is called unused where they are not. */
  readonly decisionsKept: boolean
  readonly oldestDecision: Date | undefined
  readonly rules: readonly { readonly id: string; readonly title: string }[]
}

export type Suggestions = {
  readonly rules: readonly RuleEvidence[]
  readonly suggestions: readonly Suggestion[]
  /** All rules with all suggestions applied; undefined where there are none. */
  readonly tightened: readonly Rule[] | undefined
  readonly unused: UnusedRules
  /** Whether it could look as far back as it wanted to. */
  readonly isComplete: boolean
}
