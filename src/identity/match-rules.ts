import { isDeepStrictEqual } from 'node:util'
import type { Provider } from '../provider/provider.ts'
import { completeRule } from './parse-rule.ts'
import type { Rule } from './rule.ts'
import type { RuleBody } from './workload-identity-schema.ts'

/** The rules as they are stored, and the highest N of all ids rule-N that there ever were. */
export type FormerRules = { readonly rules: readonly Rule[]; readonly lastRuleNumber: number }

/** The id that a rule of a body has, and the stored rule that it changes or, with another id, takes the place of. */
export type MatchedRule = { readonly id: string; readonly former: Rule | undefined }

/**
 * Tells which rules of a body are stored ones. An id never passes from one rule to another: a rule without an id keeps
 * that of a stored rule only where it says just the same, so that a list given again changes nothing; any other gets
 * the first number that no rule of this identity ever had.
 */
export function matchRules(
  bodies: readonly RuleBody[],
  { rules, lastRuleNumber: last }: FormerRules,
  provider: Provider,
): readonly MatchedRule[] {
  const taken = new Set(bodies.flatMap(({ id }) => id ?? []))
  const formers = bodies.map((body) => {
    if (body.id !== undefined) return rules.find(({ id }) => id === body.id)
    const same = rules.find((rule) => !taken.has(rule.id) && saysTheSame(body, rule, provider))
    if (same !== undefined) taken.add(same.id)
    return same
  })
  const gone = rules.filter(({ id }) => !taken.has(id))
  let number = last
  return bodies.map((body, index) => {
    const former = formers[index]
    const id = body.id ?? former?.id
    if (id !== undefined) return { id, former }
    do number++
    while (taken.has(`rule-${number}`))
    return { id: `rule-${number}`, former: predecessor(body, gone) }
  })
}

/** The highest N of these rules' ids rule-N and of those before them. */
export function lastRuleNumber(rules: readonly Rule[], before: number): number {
  // More digits than a column holds are only an author's.
  const numbers = rules.map(({ id }) => Number(/^rule-([1-9]\d{0,8})$/.exec(id)?.[1] ?? 0))
  return Math.max(before, ...numbers)
}

function saysTheSame(body: RuleBody, rule: Rule, provider: Provider): boolean {
  // As a new rule in its place, lest a silent body keep what was once stated.
  const { id: _, ...stated } = completeRule(body, '', provider, rule)
  const { id: __, ...stored } = rule
  return isDeepStrictEqual(stated, stored)
}

/** The one rule for the same projects that is gone from the list. */
function predecessor(body: RuleBody, gone: readonly Rule[]): Rule | undefined {
  const path = ({ group, project }: RuleBody | Rule) => `${group}/${project ?? ''}`.toLowerCase()
  const same = gone.filter((rule) => path(rule) === path(body))
  return same.length === 1 ? same[0] : undefined
}
