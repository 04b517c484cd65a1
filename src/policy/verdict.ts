import type { JsonValue } from '../json.ts'

/** Why a condition is met or not: the claim it looks at, what it wants in words, what the token has (null: absent). */
export type ConditionVerdict = {
  readonly claim: string
  readonly expected: string
  readonly actual: JsonValue
  readonly met: boolean
}

export type RuleVerdict = {
  readonly id: string
  readonly title: string
  readonly met: boolean
  readonly conditions: Readonly<Record<string, ConditionVerdict>>
}

/** A code that conditions or guardrails require, with its author's message. */
export type RequirementVerdict = { readonly code: string; readonly message: string; readonly met: boolean }

/** What the policy said, as it is recorded; `roles` is empty unless `allow`. */
export type Verdict = {
  readonly allow: boolean
  readonly rules: readonly RuleVerdict[]
  readonly conditions: readonly RequirementVerdict[]
  readonly guardrails: readonly RequirementVerdict[]
  readonly roles: readonly string[]
}

/** What the guardrails said, which are a policy of their own. */
export type GuardrailsVerdict = Pick<Verdict, 'allow' | 'guardrails'>
