import type { AllowedExchange, DecisionStore } from '../decision/decision-store.ts'
import type { Rule } from '../identity/rule.ts'
import type { JsonObject } from '../json.ts'
import type { Verdict } from '../policy/verdict.ts'

/** What came in by a rule, newest first until there is enough of it. */
export type RuleUse = {
  readonly rule: Rule
  exchanges: number
  /** The oldest exchange of these. */
  sinceId: string | undefined
  /** The newest exchange that met it, also where it was another rule then that would not be met now. */
  lastId: string | undefined
  /** The claims that count, each set of them once. */
  readonly evidence: Map<string, JsonObject>
}

export type RuleUses = {
  readonly uses: readonly RuleUse[]
  /** The last that was looked at; undefined where there are none. */
  readonly lastId: string | undefined
  /** Whether there is nothing older. */
  readonly isAll: boolean
}

export type RuleUsesQuery = {
  readonly identity: { readonly id: string; readonly email: string }
  readonly rules: readonly Rule[]
  /** Of each rule. */
  readonly exchanges: number
  /** The claims that count. */
  readonly claims: readonly string[]
  readonly admits: (rule: Rule, claims: JsonObject) => boolean
  readonly signal: AbortSignal
}

/** Small enough that the thread which serves is never held up by reading them. */
const PAGE = 250
/** A rule that is met once in a thousand times is found with ten exchanges; some two seconds' work. */
const MAX_LOOKED = 20_000

/**
 * Reads an identity's decisions, newest first, until each of the rules has so many exchanges. What counts for a rule
 * is what met the rule of this id when it was decided, and meets it as it is now.
 */
export async function readRuleUses(
  decisions: Pick<DecisionStore, 'listAllowed'>,
  query: RuleUsesQuery,
): Promise<RuleUses> {
  const { identity, rules, exchanges, signal } = query
  const uses = rules.map(
    (rule): RuleUse => ({ rule, exchanges: 0, sinceId: undefined, lastId: undefined, evidence: new Map() }),
  )
  let lastId: string | undefined
  for (let looked = 0; looked < MAX_LOOKED; looked += PAGE) {
    if (signal.aborted || uses.every((use) => use.exchanges >= exchanges)) break
    const rows = await decisions.listAllowed({
      identity: identity.email,
      identityId: identity.id,
      before: lastId,
      limit: PAGE,
    })
    for (const row of rows) add(uses, row, query)
    lastId = rows.at(-1)?.id ?? lastId
    if (rows.length < PAGE) return { uses, lastId, isAll: true }
  }
  return { uses, lastId, isAll: false }
}

function add(
  uses: readonly RuleUse[],
  { id, claims: text, verdict }: AllowedExchange,
  { exchanges, claims: names, admits }: RuleUsesQuery,
): void {
  if (text === null || verdict === null) return
  const met = new Set((JSON.parse(verdict) as Verdict).rules.flatMap((rule) => (rule.met ? [rule.id] : [])))
  const all: JsonObject = JSON.parse(text)
  const claims = Object.fromEntries(
    names.flatMap((name) => (Object.hasOwn(all, name) ? [[name, all[name] ?? null] as const] : [])),
  )
  const key = JSON.stringify(claims)
  for (const use of uses) {
    if (!met.has(use.rule.id)) continue
    use.lastId ??= id
    if (use.exchanges >= exchanges || !(use.evidence.has(key) || admits(use.rule, claims))) continue
    use.exchanges++
    use.sinceId = id
    use.evidence.set(key, claims)
  }
}
