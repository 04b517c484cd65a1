import { isJsonObject, type JsonObject, type JsonValue } from '../json.ts'
import type { PolicyProblem } from './policy-problem.ts'
import { callOf, listAt, nodesOf, ruleName, ruleUsed, TOP, textOf, usesOf } from './rego-tree.ts'

/** The functions whose first argument is a pattern that a text has to match. */
const MATCHERS = ['regex.match', 'regex.find_all_string_submatch_n']

const MAX_SHOWN = 100
/** JavaScript has limits of its own, of groups and what is in one another. */
const MAX_TRIED = 1000

type Fault = Pick<PolicyProblem, 'code' | 'message' | 'hint'>

/** What names stand for, as far as it is a text that is written out; undefined for all else. */
type NamedTexts = ReadonlyMap<string, readonly (string | undefined)[]>

/**
 * Patterns that match a text of which they only find a part: `main` matches `not-main`, and `^main` matches `mainly`; and
 * those of which that cannot be told, as they are put together or come with the token. A pattern that a rule or a local
 * variable names is looked at where it is used.
 */
export function patternProblems(tree: JsonObject, kind: string): readonly PolicyProblem[] {
  const rules = listAt(tree, 'rules')
  const ofModule = textsOf(rules.map(namedByRule))
  const known = new Map<string | undefined, Fault | undefined>()
  const faultOnce = (pattern: string | undefined) => {
    if (!known.has(pattern)) known.set(pattern, faultOf(pattern))
    return known.get(pattern)
  }
  return rules.flatMap((rule) => {
    const ofRule = textsOf([...namedWithin(rule)])
    return [...nodesOf(rule, TOP)].flatMap(({ node, place }) => {
      const call = callOf(node)
      if (call === undefined || !MATCHERS.includes(call.name)) return []
      const faults = textsFor(call.parts[0], ofModule, ofRule).flatMap((text) => faultOnce(text) ?? [])
      return faults.slice(0, 1).map((fault) => ({ ...fault, file: `${kind}.rego`, ...place }))
    })
  })
}

/** The texts that a term may be. A name that is given in the rule and in the module may be either. */
function textsFor(
  term: JsonValue | undefined,
  ofModule: NamedTexts,
  ofRule: NamedTexts,
): readonly (string | undefined)[] {
  const text = textOf(term, 'string')
  if (text !== undefined) return [text]
  const isName = isJsonObject(term) && (term.type === 'var' || term.type === 'ref')
  const [use] = isName ? usesOf(term, TOP) : []
  if (use === undefined || use.path.length !== (use.name === 'data' ? 3 : 0)) return [undefined]
  const texts = [...(ofModule.get(ruleUsed(use)) ?? []), ...(ofRule.get(use.name) ?? [])]
  return texts.length === 0 ? [undefined] : texts
}

type NamedText = readonly [name: string, text: string | undefined]

function textsOf(named: readonly NamedText[]): NamedTexts {
  const grouped = Map.groupBy(named, ([name]) => name)
  return new Map([...grouped].map(([name, each]) => [name, each.map(([, text]) => text)]))
}

function namedByRule(rule: JsonObject): NamedText {
  const head = isJsonObject(rule.head) ? rule.head : {}
  const isText = rule.else === undefined && head.args === undefined && listAt(head, 'ref').length === 1
  return [ruleName(rule), isText ? textOf(head.value, 'string') : undefined]
}

/** Each variable of a rule, once for every place that may give it a value. */
function* namedWithin(rule: JsonObject): Generator<NamedText> {
  const head = isJsonObject(rule.head) ? rule.head : {}
  yield* unknown(head.args)
  for (const { node } of nodesOf(rule, TOP)) {
    yield* unknown(node.symbols)
    if (Object.hasOwn(node, 'domain')) yield* unknown([node.key ?? null, node.value ?? null])
    const call = callOf(node)
    if (call?.name !== 'assign' && call?.name !== 'eq') continue
    const [pattern, value] = call.parts
    const name = textOf(pattern, 'var')
    const text = textOf(value, 'string')
    if (name !== undefined && text !== undefined) yield [name, text]
    else yield* unknown(call.parts.slice(0, call.name === 'eq' ? 2 : 1))
  }
}

function* unknown(tree: JsonValue | undefined): Generator<NamedText> {
  for (const { name } of usesOf(tree, TOP)) yield [name, undefined]
}

function faultOf(pattern: string | undefined): Fault | undefined {
  if (pattern === undefined) {
    return {
      code: 'pattern_not_literal',
      message: 'The pattern is put together, or comes with the token: what it matches cannot be told.',
      hint: 'Write it out, as in regex.match("^release/[0-9]+$", …), or name a rule that is nothing but such a text.',
    }
  }
  const mistake = mistakeIn(pattern)
  if (mistake !== undefined) {
    return {
      code: 'pattern_invalid',
      message: `The pattern '${shown(pattern)}' is no regular expression, so nothing matches it: ${mistake}.`,
      hint: 'Close each bracket, and write [.] for a sign that stands for itself.',
    }
  }
  const outline = outlineOf(pattern)
  if (/\(\?[a-zA-Z]*m/.test(outline)) {
    return {
      code: 'pattern_not_anchored',
      message: `The pattern '${shown(pattern)}' matches line by line, also a longer text that has such a line.`,
      hint: 'Leave out the flag m, begin the pattern with ^ and end it with $.',
    }
  }
  if (isAnchored(outline)) return undefined
  const whole = pattern.length > MAX_SHOWN ? '' : anchored(pattern)
  const proposal = isAnchored(outlineOf(whole)) ? `: '${whole}'` : ''
  return {
    code: 'pattern_not_anchored',
    message: `The pattern '${shown(pattern)}' also matches a longer text that has it somewhere.`,
    hint: `Begin it with ^ and end it with $, around alternatives too${proposal}.`,
  }
}

/**
 * What JavaScript finds wrong with a pattern; undefined also where it may read it otherwise than RE2 does. Of what they
 * share, RE2 refuses all that JavaScript refuses.
 */
function mistakeIn(pattern: string): string | undefined {
  const isShared =
    pattern.length <= MAX_TRIED &&
    /^(?:[\x20-\x5b\x5d-\x7e]|\\(?:[dDwWsSnrtfv]|[^A-Za-z0-9]))*$/.test(pattern) &&
    !/\(\?|\[\[:|\[\^?\]|[\^$](?:[*+?]|\{\d)/.test(pattern)
  if (!isShared) return undefined
  try {
    new RegExp(pattern)
    return undefined
  } catch (error) {
    return String(error).replace(/^.*: /s, '').toLowerCase()
  }
}

/** What of a pattern stands for a sign, which says nothing about its ends. */
const SIGNS =
  /\\Q(?<quoted>.*?)(?:\\E|$)|\\(?<end>[Az])|\\(?:[pPx]\{\^?\w{1,40}\}|.)|\[\^?\]?(?:\[:\^?\w{1,20}:\]|\\.?|[^\]\\])*(?:\]|$)/gs

/** The pattern without its signs, of which an x is left: anchors, groups, alternatives and how often each may be. */
function outlineOf(pattern: string): string {
  return pattern.replace(SIGNS, (...matched) => {
    const { quoted, end } = matched.at(-1) as { quoted?: string; end?: string }
    if (end !== undefined) return end === 'A' ? '^' : '$'
    return quoted === '' ? '' : 'x'
  })
}

/** Whether it begins with ^ or \A and ends with $ or \z, whichever of its alternatives is taken. */
function isAnchored(outline: string): boolean {
  // Flags stand for nothing in the text: what follows them belongs to what is before them.
  const body = outline.replace(/\(\?[a-zA-Z-]*\)/g, '')
  return /^\^+(?![*+?]|\{\d)/.test(body) && body.endsWith('$') && !hasOuterAlternative(body)
}

function hasOuterAlternative(body: string): boolean {
  let depth = 0
  for (const character of body) {
    if (character === '(') depth++
    else if (character === ')') depth--
    else if (character === '|' && depth === 0) return true
  }
  return false
}

/** The same pattern for the whole text. */
function anchored(pattern: string): string {
  const [, flags = '', rest = ''] = /^((?:\(\?[a-zA-Z-]+\))*)(.*)$/s.exec(pattern) ?? []
  const often = '(?:[*+?]|\\{\\d+(?:,\\d*)?\\})*'
  const whole = rest
    .replace(new RegExp(`^(?:(?:\\^|\\\\A)${often})+`), '')
    .replace(new RegExp(`(?<=(?:^|[^\\\\])(?:\\\\\\\\)*)(?:(?:\\$|\\\\z)${often})+$`), '')
  return `${flags}^${hasOuterAlternative(outlineOf(whole)) ? `(${whole})` : whole}$`
}

function shown(pattern: string): string {
  return pattern.length > MAX_SHOWN ? `${pattern.slice(0, MAX_SHOWN)}…` : pattern
}
