import { setImmediate } from 'node:timers/promises'
import type { DecisionStore } from '../decision/decision-store.ts'
import { RequestError } from '../errors.ts'
import type { WholeIdentity } from '../identity/identity-store.ts'
import type { Rule } from '../identity/rule.ts'
import type { JsonObject } from '../json.ts'
import type { PolicyVersion } from '../policy/policy-version-store.ts'
import { PROVIDERS, type ProviderType } from '../provider/providers.ts'
import { claimsThatCount, type Edit, findEdits } from './find-edits.ts'
import { findUnusedRules } from './find-unused-rules.ts'
import { type RuleUse, type RuleUses, readRuleUses } from './read-rule-uses.ts'
import type { Suggestion, Suggestions, UnusedRules } from './suggestion.ts'

/** Of two values that are as likely, one shows this often in a row by chance once in five hundred times. */
export const LEAST_EXCHANGES = 10
export const UNUSED_DAYS = 90

export type SuggestChangesDeps = {
  readonly decisions: Pick<DecisionStore, 'listAllowed' | 'findMetRules' | 'findRange' | 'retentionDays'>
  /** What counted for an identity at a time. */
  readonly findVersionAt: (identity: WholeIdentity, time: Date) => Promise<PolicyVersion | undefined>
  readonly admits: (provider: ProviderType, rule: Rule, claims: JsonObject) => boolean
  /** Whether a rule of this identity may be saved as it stands. */
  readonly isSavable: (identity: WholeIdentity, rule: Rule) => boolean
  readonly timeOfId: (id: string) => number
  readonly clock: () => number
}

const DAY_MS = 86_400_000

/**
 * What an identity's rules could ask for besides, since all of their last exchanges had it, and which rules nobody needs.
 * No suggestion refuses what its rule let in, or what a stored test says of the rules. Throws `failed_precondition` for
 * a deleted identity.
 */
export async function suggestChanges(
  deps: SuggestChangesDeps,
  identity: WholeIdentity,
  exchanges: number,
  signal: AbortSignal,
): Promise<Suggestions> {
  if (identity.state === 'DELETED') {
    throw new RequestError(
      'failed_precondition',
      `workloadIdentities/${identity.email} is deleted: undelete it first.`,
    )
  }
  const { rules: all, providerType } = identity.workloadIdentityConfig
  const rules = all.filter(({ disabled }) => !disabled)
  const read = await readRuleUses(deps.decisions, {
    identity,
    rules,
    exchanges,
    claims: claimsThatCount(rules, PROVIDERS[providerType]),
    admits: (rule, claims) => deps.admits(providerType, rule, claims),
    signal,
  })
  const suggestions: Suggestion[] = []
  const tightened = new Map<string, Rule>()
  for (const use of read.uses) {
    let whole = use.rule
    for (const edit of editsOf(deps, use, providerType)) {
      // Each looks at all the evidence: others are served between.
      await setImmediate()
      const edited = edit.apply(use.rule)
      if (!fits(deps, identity, use, edited, rules)) continue
      suggestions.push(suggestion(deps, use, edit, edited))
      // Beside the others as they are by then: of two rules that let in the same, each would count on the other.
      const besides = rules.map((rule) => tightened.get(rule.id) ?? rule)
      if (fits(deps, identity, use, edit.apply(whole), besides)) whole = edit.apply(whole)
    }
    tightened.set(use.rule.id, whole)
  }
  const unused = await unusedRules(deps, identity, rules, read, signal)
  return {
    rules: read.uses.map(({ rule, exchanges: count, sinceId }) => ({
      rule: rule.id,
      exchanges: count,
      since: sinceId === undefined ? undefined : new Date(deps.timeOfId(sinceId)),
    })),
    suggestions,
    tightened: suggestions.length === 0 ? undefined : all.map((rule) => tightened.get(rule.id) ?? rule),
    unused: unused.found,
    isComplete: unused.isComplete && (read.isAll || read.uses.every((use) => use.exchanges >= exchanges)),
  }
}

function editsOf(
  { admits }: SuggestChangesDeps,
  { rule, exchanges, evidence }: RuleUse,
  provider: ProviderType,
): readonly Edit[] {
  if (exchanges < LEAST_EXCHANGES) return []
  return findEdits(rule, PROVIDERS[provider], [...evidence.values()], (edited, claims) =>
    admits(provider, edited, claims),
  )
}

/** Whether it can be saved and refuses nothing that came in, nor, beside these rules, what a stored test says must. */
function fits(
  { admits, isSavable }: SuggestChangesDeps,
  identity: WholeIdentity,
  { rule, evidence }: RuleUse,
  edited: Rule,
  rules: readonly Rule[],
): boolean {
  const { providerType } = identity.workloadIdentityConfig
  const others = rules.filter(({ id }) => id !== rule.id)
  const isLeftOut = (claims: JsonObject) =>
    admits(providerType, rule, claims) &&
    !admits(providerType, edited, claims) &&
    !others.some((other) => admits(providerType, other, claims))
  return (
    isSavable(identity, edited) &&
    [...evidence.values()].every((claims) => admits(providerType, edited, claims)) &&
    !identity.tests.some(({ claims }) => isLeftOut(claims as JsonObject))
  )
}

function suggestion({ timeOfId }: SuggestChangesDeps, use: RuleUse, edit: Edit, edited: Rule): Suggestion {
  const { rule, exchanges, sinceId = '' } = use
  const values = edit.fields.map((field) => `${field} to ${JSON.stringify(valueAt(edited, field))}`)
  return {
    code: edit.code,
    rule: rule.id,
    fields: edit.fields,
    message: `Each of the last ${exchanges} exchanges that met rule '${rule.id}' ${edit.because}.`,
    change: `Of rule '${rule.id}' set ${values.join(' and ')}.`,
    exchanges,
    since: new Date(timeOfId(sinceId)),
    edited,
  }
}

/** Of a field as `ids.projectIds`; a claim's own name may have dots. */
function valueAt(rule: Rule, field: string): unknown {
  const [name, part] = field.split(/\.(.*)/s, 2) as [keyof Rule, string | undefined]
  return part === undefined ? rule[name] : (rule[name] as Readonly<Record<string, unknown>>)[part]
}

async function unusedRules(
  { decisions, findVersionAt, timeOfId, clock }: SuggestChangesDeps,
  identity: WholeIdentity,
  rules: readonly Rule[],
  read: RuleUses,
  signal: AbortSignal,
): Promise<{ readonly found: UnusedRules; readonly isComplete: boolean }> {
  const since = clock() - UNUSED_DAYS * DAY_MS
  const [range, retentionDays, version] = await Promise.all([
    decisions.findRange({}),
    decisions.retentionDays(),
    findVersionAt(identity, new Date(since)),
  ])
  const oldest = range && timeOfId(range.first)
  const decisionsKept = retentionDays === undefined || (oldest !== undefined && oldest <= since)
  const found = { since: new Date(since), decisionsKept, oldestDecision: oldest && new Date(oldest) }
  const old = decisionsKept ? rules.filter(({ id }) => wasThere(version, id)) : []
  const unused = await findUnusedRules(decisions, { identity, rules: old, read, since, timeOfId, signal })
  return {
    found: { ...found, rules: (unused ?? []).map(({ id, title }) => ({ id, title })) } as UnusedRules,
    isComplete: unused !== undefined,
  }
}

/** A rule's id never passes to another, so that it was there tells how old it is. */
function wasThere(version: PolicyVersion | undefined, ruleId: string): boolean {
  if (version === undefined) return false
  const { workloadIdentityConfig } = version.resource as Pick<WholeIdentity, 'workloadIdentityConfig'>
  return workloadIdentityConfig.rules.some(({ id, disabled }) => id === ruleId && !disabled)
}
