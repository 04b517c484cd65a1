import { styleText } from 'node:util'
import type { FailingTests, PlannedImpact } from './plan-file.ts'
import { printable } from './printable.ts'

const KINDS = [
  ['newlyAllowed', 'newly allowed', 'yellow'],
  ['newlyDenied', 'newly denied', 'red'],
  ['rolesChanged', 'with other roles', 'yellow'],
  ['errors', 'that the policy fails on', 'red'],
] as const

/** What recorded decisions would have come to: the numbers, the newest of each kind, and where it was cut. */
export function describeImpact(impact: PlannedImpact | undefined): readonly string[] {
  if (impact === undefined) return []
  const { since, replayed, isComplete, oldestDecideTime, notices } = impact
  const counts = KINDS.map(([kind, words]) => [impact[kind].count, words] as const).filter(
    ([count]) => count > 0,
  )
  const told =
    counts.length === 0
      ? 'nothing would come out otherwise'
      : counts.map(([count, words]) => `${count} ${words}`).join(', ')
  const from = isComplete ? since : (oldestDecideTime ?? undefined)
  const looked =
    from === undefined
      ? 'impact: not looked at, for want of time'
      : `impact on ${replayed} decisions since ${from}: ${told}`
  const cut = isComplete || from === undefined ? '' : '; cut there, for want of time: there are older ones'
  return [
    `    ${looked}${cut}`,
    ...KINDS.flatMap(([kind, words, colour]) => describeAffected(impact[kind], styleText(colour, words))),
    ...notices.map((notice) => `      ${styleText('cyan', 'notice')} ${printable(notice)}`),
  ]
}

function describeAffected(
  { count, decisions }: PlannedImpact['newlyAllowed'],
  words: string,
): readonly string[] {
  const more = count - decisions.length
  return [
    ...decisions.map(
      ({ decision, identity, subject, decideTime, explanation }) =>
        `      ${words} ${printable(`${decideTime} ${subject ?? ''} at ${identity ?? ''} (${decision}): ${explanation}`)}`,
    ),
    ...(more > 0 ? [`      and ${more} more ${words}`] : []),
  ]
}

/** The tests of identities that other guardrails break. */
export function describeFailingTests(failing: FailingTests | undefined): readonly string[] {
  if (failing === undefined) return []
  const { looked, isComplete, count, identities } = failing
  const cut = isComplete ? '' : `, of ${looked} that were looked at: there are more`
  const more = count - identities.length
  return [
    `    tests that would fail then: of ${count} ${count === 1 ? 'identity' : 'identities'}${cut}`,
    ...identities.flatMap(({ email, tests }) =>
      tests.map(({ message }) => `      ${styleText('red', 'FAIL')} ${printable(`${email}: ${message}`)}`),
    ),
    ...(more > 0 ? [`      and of ${more} more`] : []),
  ]
}
