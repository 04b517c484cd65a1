import { isJsonObject, type JsonValue } from '../json.ts'
import { hasExactly, listOf, text } from './check-shape.ts'
import type {
  ConditionVerdict,
  GuardrailsVerdict,
  RequirementVerdict,
  RuleVerdict,
  Verdict,
} from './verdict.ts'

/**
 * Takes what a policy answered for a verdict only if it is exactly one: every member there, none besides, each of its
 * type, and nothing allowed that its own conditions deny. Returns it with its members in one order, so that equal
 * verdicts are equal texts; undefined for anything else. `guardrails` is empty: they are a policy of their own.
 */
export function checkVerdict(answer: unknown): Verdict | undefined {
  if (!hasExactly(answer, ['allow', 'rules', 'conditions', 'roles'])) return undefined
  const { allow } = answer
  const rules = listOf(answer.rules, checkRule)
  const conditions = listOf(answer.conditions, checkRequirement)
  const roles = listOf(answer.roles, text)
  if (typeof allow !== 'boolean' || rules === undefined || conditions === undefined || roles === undefined) {
    return undefined
  }
  const granted = rules.some(({ met }) => met) && conditions.every(({ met }) => met)
  if (allow !== granted || (!allow && roles.length > 0)) return undefined
  return { allow, rules, conditions: conditions.toSorted(byCode), guardrails: [], roles: roles.toSorted() }
}

/** The same for what the guardrails answered: each with its code and message, and allowed where all are met. */
export function checkGuardrailsVerdict(answer: unknown): GuardrailsVerdict | undefined {
  if (!hasExactly(answer, ['allow', 'guardrails'])) return undefined
  const { allow } = answer
  const guardrails = listOf(answer.guardrails, checkRequirement)
  if (typeof allow !== 'boolean' || guardrails === undefined || guardrails.length === 0) return undefined
  if (allow !== guardrails.every(({ met }) => met)) return undefined
  return { allow, guardrails: guardrails.toSorted(byCode) }
}

/** What an identity's policy and the guardrails beside it come to: allowed where both allow. */
export function joinVerdicts(verdict: Verdict, { allow, guardrails }: GuardrailsVerdict): Verdict {
  const both = verdict.allow && allow
  return { ...verdict, allow: both, guardrails, roles: both ? verdict.roles : [] }
}

function checkRule(answer: unknown): RuleVerdict | undefined {
  if (!hasExactly(answer, ['id', 'title', 'met', 'conditions'])) return undefined
  const { id, title, met } = answer
  const conditions = checkConditions(answer.conditions)
  if (typeof id !== 'string' || typeof title !== 'string' || conditions === undefined) return undefined
  const verdicts = Object.values(conditions)
  if (met !== (verdicts.length > 0 && verdicts.every((condition) => condition.met))) return undefined
  return { id, title, met, conditions }
}

function checkConditions(answer: unknown): RuleVerdict['conditions'] | undefined {
  if (!isJsonObject(answer)) return undefined
  const entries: [string, ConditionVerdict][] = []
  for (const code of Object.keys(answer).sort()) {
    const condition = checkCondition(answer[code])
    if (condition === undefined) return undefined
    entries.push([code, condition])
  }
  return Object.fromEntries(entries)
}

function checkCondition(answer: unknown): ConditionVerdict | undefined {
  if (!hasExactly(answer, ['claim', 'expected', 'actual', 'met'])) return undefined
  const { claim, expected, actual, met } = answer
  if (typeof claim !== 'string' || typeof expected !== 'string' || typeof met !== 'boolean') return undefined
  return { claim, expected, actual: actual as JsonValue, met }
}

function checkRequirement(answer: unknown): RequirementVerdict | undefined {
  if (!hasExactly(answer, ['code', 'message', 'met'])) return undefined
  const { code, message, met } = answer
  if (typeof code !== 'string' || typeof message !== 'string' || typeof met !== 'boolean') return undefined
  return { code, message, met }
}

function byCode(a: RequirementVerdict, b: RequirementVerdict): number {
  return a.code < b.code ? -1 : 1
}
