import type { EarlierUse, Reason } from '../decision/decision.ts'
import type { RequirementVerdict, RuleVerdict, Verdict } from '../policy/verdict.ts'
import type { Provider } from '../provider/provider.ts'
import { mendCondition } from './mend-condition.ts'
import { plainText } from './plain-text.ts'

export type DenialFacts = {
  readonly reason: Reason
  readonly verdict: Verdict
  /** Whose token it is. */
  readonly provider: Provider
  readonly audience: {
    /** What the token has as `aud`, and what the identity allows there. */
    readonly actual: readonly string[]
    readonly allowed: readonly string[]
    /** What the request asked for, if it did, and what it may ask for. */
    readonly requested?: string | undefined
    readonly requestable: readonly string[]
  }
  /** Milliseconds since the epoch. */
  readonly replay?: (EarlierUse & { readonly now: number }) | undefined
}

/** `rules` are those whose group the token met, the only ones its bearer may see; `closest` is one of them. */
export type Denial = {
  readonly message: string
  readonly rules: readonly RuleVerdict[]
  readonly closest?: RuleVerdict
}

const MAX_VALUE = 200 // enough to recognise a value; a claim may have 16 KiB
const MAX_EXPECTED = 500
const MAX_LISTED = 10

/**
 * Puts a refusal into words for a job's log: what was expected, what the token says, and how to mend it. One line,
 * safe to echo unquoted; the answer's details still have to go through `plainJson`. Says nothing where no group is met.
 */
export function explainDenial(facts: DenialFacts): Denial {
  const rules = facts.verdict.rules.filter((rule) => rule.conditions.group?.met === true)
  const closest = closestRule(rules)
  if (closest === undefined) return { message: 'Token exchange denied.', rules: [] }
  const sentences = [
    ...reasonSentences(facts),
    ...ruleSentences(closest, facts.provider),
    ...requirementSentences(facts.verdict),
  ]
  return { message: plainText(['Token exchange denied.', ...sentences].join(' ')), rules, closest }
}

/** The rule with the fewest conditions unmet, the first if equal. */
function closestRule(rules: readonly RuleVerdict[]): RuleVerdict | undefined {
  return rules.reduce<RuleVerdict | undefined>(
    (best, rule) => (best === undefined || unmetCodes(rule).length < unmetCodes(best).length ? rule : best),
    undefined,
  )
}

function reasonSentences(facts: DenialFacts): readonly string[] {
  switch (facts.reason) {
    case 'token_audience':
      return [tokenAudience(facts.audience.actual, facts.audience.allowed, facts.provider)]
    case 'audience_not_allowed':
      return [requestedAudience(facts.audience.requested, facts.audience.requestable)]
    case 'token_replayed':
      return [replayed(facts.replay)]
    default:
      return []
  }
}

function tokenAudience(actual: readonly string[], allowed: readonly string[], { texts }: Provider): string {
  const set = texts.setAudience.replace('{audience}', () => alternatives(allowed))
  const mend = `${set}, or have the identity's allowedAudiences extended.`
  if (actual.length === 0) return `The token's aud is empty, expected ${alternatives(allowed)}: ${mend}`
  if (actual.length === 1) {
    return `The token's aud is ${alternatives(actual)}, expected ${alternatives(allowed)}: ${mend}`
  }
  return (
    `The token's aud has ${actual.length} audiences (${listed(actual).join(', ')}), expected exactly one, ` +
    `${alternatives(allowed)}: ${mend}`
  )
}

function requestedAudience(requested: string | undefined, requestable: readonly string[]): string {
  return (
    `The request's audience is ${requested === undefined ? 'missing' : quoted(requested)}, ` +
    `expected ${alternatives(requestable)}: leave audience out of the request for a token that is valid here, ` +
    "or have the identity's tokenAudiences extended."
  )
}

function replayed(replay: DenialFacts['replay']): string {
  const when =
    replay === undefined
      ? 'before'
      : `${ago(replay.now - replay.useTime)} (${new Date(replay.useTime).toISOString()}) by decision ${replay.decisionId}`
  return (
    `The token was used ${when}, and a token can be exchanged only once: retry the job, which gives it a new token; ` +
    "for a job that exchanges its token more than once, have the identity's subjectTokenUse set to MANY."
  )
}

function ago(elapsedMs: number): string {
  const seconds = Math.max(0, Math.floor(elapsedMs / 1000))
  if (seconds < 1) return 'just now'
  if (seconds < 120) return `${seconds} second${seconds === 1 ? '' : 's'} ago`
  if (seconds < 7200) return `${Math.floor(seconds / 60)} minutes ago`
  return `${Math.floor(seconds / 3600)} hours ago`
}

function ruleSentences(rule: RuleVerdict, provider: Provider): readonly string[] {
  const unmet = unmetCodes(rule)
  if (rule.met || unmet.length === 0) return []
  const title = rule.title === '' ? '' : ` (${rule.title})`
  return [
    `Rule ${quoted(rule.id)}${title} is not met.`,
    ...unmet.map((code) => conditionSentence(rule, code, provider)),
  ]
}

function conditionSentence(rule: RuleVerdict, code: string, provider: Provider): string {
  const condition = rule.conditions[code]
  if (condition === undefined) return ''
  const expected = shortened(condition.expected.replace(/[.\s]+$/, ''), MAX_EXPECTED)
  return `Condition ${code}: ${condition.claim} ${stated(condition.actual)}, expected ${expected}: ${mendCondition(rule, code, provider)}.`
}

/** A claim's value as a sentence goes on with it; anything but a string never meets a condition. */
function stated(actual: unknown): string {
  if (actual === null || actual === undefined) return 'is not in the token'
  if (actual === '') return 'is empty'
  if (typeof actual === 'string') return `is ${quoted(actual)}`
  if (typeof actual === 'object')
    return `is ${Array.isArray(actual) ? 'an array' : 'an object'}, not a string`
  return `is the ${typeof actual} ${String(actual)}, not a string`
}

/** Conditions in the order in which the documentation has them, those of a rule's own choosing last. */
function unmetCodes(rule: RuleVerdict): readonly string[] {
  const codes = Object.keys(rule.conditions).filter((code) => rule.conditions[code]?.met !== true)
  return codes.sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))
}

function rank(code: string): number {
  const index = ORDER.indexOf(code)
  return index < 0 ? ORDER.length : index
}

const ORDER: readonly string[] = [
  'group',
  'project',
  'ref',
  'protected_ref',
  'merge_request',
  'fork',
  'pipeline_source',
  'project_id',
  'namespace_id',
]

function requirementSentences(verdict: Verdict): readonly string[] {
  return [
    ...verdict.conditions
      .filter(({ met }) => !met)
      .map((unmet) => requirement("The identity's condition", unmet)),
    ...verdict.guardrails
      .filter(({ met }) => !met)
      .map((unmet) => requirement("The organisation's guardrail", unmet)),
  ]
}

function requirement(whose: string, { code, message }: RequirementVerdict): string {
  return `${whose} ${quoted(code)} is not met: ${shortened(message.trim().replace(/\.$/, ''), MAX_EXPECTED)}.`
}

function alternatives(texts: readonly string[]): string {
  const shown = listed(texts)
  return shown.length < 2 ? (shown[0] ?? 'none') : `${shown.slice(0, -1).join(', ')} or ${shown.at(-1)}`
}

function listed(texts: readonly string[]): readonly string[] {
  const shown = texts.slice(0, MAX_LISTED).map(quoted)
  return texts.length > MAX_LISTED ? [...shown, `${texts.length - MAX_LISTED} more`] : shown
}

function quoted(text: string): string {
  return `'${shortened(text, MAX_VALUE)}'`
}

function shortened(text: string, max: number): string {
  return text.length > max ? `${text.slice(0, max)}…` : text
}
