import { shownText } from '../fields/field-path.ts'
import type { RequirementVerdict, RuleVerdict, Verdict } from '../policy/verdict.ts'

/** What of the closest rule and beyond the rules is not met; or which rules are. */
export function explainVerdict(verdict: Verdict | null): string {
  if (verdict === null) return ''
  const met = verdict.rules.filter((rule) => rule.met)
  const missing = [
    ...(met.length > 0 ? [] : unmetOfClosest(verdict.rules)),
    ...unmetOf('condition', verdict.conditions),
    // What changed may be the guardrails, and not what is saved.
    ...unmetOf('guardrail', verdict.guardrails),
  ]
  if (missing.length > 0) return missing.join('; ')
  return met.map(({ id }) => `rule ${shownText(id)} is met`).join(', ')
}

function unmetOfClosest(rules: readonly RuleVerdict[]): readonly string[] {
  const [closest] = rules.toSorted((a, b) => unmet(a).length - unmet(b).length)
  return closest === undefined ? [] : [`rule ${shownText(closest.id)}: ${unmet(closest).join('; ')}`]
}

function unmetOf(what: string, requirements: readonly RequirementVerdict[]): readonly string[] {
  return requirements.filter(({ met }) => !met).map(({ code }) => `${what} ${shownText(code)} is not met`)
}

function unmet({ conditions }: RuleVerdict): readonly string[] {
  return Object.entries(conditions)
    .filter(([, { met }]) => !met)
    .map(([code, { claim, expected, actual }]) => {
      const found = actual === null ? 'missing' : JSON.stringify(actual)
      return `${code} is not met (${claim} is ${found.slice(0, 200)}, expected ${expected.slice(0, 500)})`
    })
}
