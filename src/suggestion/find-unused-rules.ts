import type { DecisionStore } from '../decision/decision-store.ts'
import type { Rule } from '../identity/rule.ts'
import type { RuleUses } from './read-rule-uses.ts'

/** Rows whose verdicts the database looks through at once: some fifty milliseconds of its time. */
const PAGE = 5_000

/**
 * The rules of these that no exchange met since a time (milliseconds since the epoch); what was read is not read again.
 * Undefined where the signal ended it before that was known.
 */
export async function findUnusedRules(
  decisions: Pick<DecisionStore, 'findMetRules'>,
  query: {
    readonly identity: { readonly id: string; readonly email: string }
    readonly rules: readonly Rule[]
    readonly read: RuleUses
    readonly since: number
    readonly timeOfId: (id: string) => number
    readonly signal: AbortSignal
  },
): Promise<readonly Rule[] | undefined> {
  const { identity, rules, read, since, timeOfId, signal } = query
  const used = new Set(
    read.uses.flatMap(({ rule, lastId }) =>
      lastId !== undefined && timeOfId(lastId) >= since ? [rule.id] : [],
    ),
  )
  const unused = () => rules.filter(({ id }) => !used.has(id))
  if (read.isAll) return unused()
  for (let before = read.lastId; unused().length > 0; ) {
    if (signal.aborted) return undefined
    const page = { identity: identity.email, identityId: identity.id, before, since, limit: PAGE }
    const found = await decisions.findMetRules(page)
    for (const id of found.rules) used.add(id)
    if (found.lastId === undefined) break
    before = found.lastId
  }
  return unused()
}
