import type { GuardrailsSpec } from './guardrails.ts'

type Tested = Pick<GuardrailsSpec, 'tests'>

/** Says how many stored tests a save removes or a draft would, told by their titles; nothing where all of them stay. */
export function noticeRemovedTests(
  before: Tested,
  after: Tested,
  what: 'are removed' | 'would be removed',
): readonly string[] {
  const kept = new Set(after.tests.map(({ title }) => title))
  const { length } = before.tests.filter(({ title }) => !kept.has(title))
  if (length === 0) return []
  return [`tests: ${length} of ${before.tests.length} stored tests ${what}, as a save replaces all of them`]
}
