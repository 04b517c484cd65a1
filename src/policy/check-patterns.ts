import { isJsonObject, type JsonObject, type JsonValue } from '../json.ts'
import type { PolicyProblem } from './policy-problem.ts'
import { callOf, listAt, nodesOf, textOf } from './rego-tree.ts'

/** The functions whose first argument is a pattern that a text has to match. */
const MATCHERS = ['regex.match', 'regex.find_all_string_submatch_n']

/**
 * Patterns that match a text of which they only find a part: `main` matches `not-main`, and `^main` matches `mainly`.
 * A pattern that a rule of the module names is looked at where it is used; one that is put together is not.
 */
export function patternProblems(tree: JsonObject, kind: string): readonly PolicyProblem[] {
  const named = namedTexts(tree)
  const problems: PolicyProblem[] = []
  for (const { node, place } of nodesOf(tree.rules, { row: 1, column: 1 })) {
    const call = callOf(node)
    if (call === undefined || !MATCHERS.includes(call.name)) continue
    const pattern = textOf(call.parts[0], 'string') ?? named.get(textOf(call.parts[0], 'var') ?? '')
    if (pattern === undefined || isAnchored(pattern)) continue
    const whole = pattern.replace(/^\^|\$$/g, '')
    problems.push({
      code: 'pattern_not_anchored',
      message: `The pattern '${shown(pattern)}' also matches a longer text that has it somewhere.`,
      hint: `Begin it with ^ and end it with $, around alternatives too: '${shown(whole.includes('|') ? `^(${whole})$` : `^${whole}$`)}'.`,
      file: `${kind}.rego`,
      row: place.row,
      column: place.column,
    })
  }
  return problems
}

/** Rules that are nothing but a text. */
function namedTexts(tree: JsonObject): ReadonlyMap<string, string> {
  const texts = new Map<string, string>()
  for (const rule of listAt(tree, 'rules')) {
    const head: JsonObject = isJsonObject(rule.head) ? rule.head : {}
    const name = textOf(listAt(head, 'ref')[0], 'var')
    const text = textOf(head.value as JsonValue | undefined, 'string')
    if (name !== undefined && text !== undefined && head.args === undefined) texts.set(name, text)
  }
  return texts
}

/** Whether it begins with ^ or \A and ends with $ or \z, whichever of its alternatives is taken. */
function isAnchored(pattern: string): boolean {
  const body = pattern.replace(/^\(\?([a-zA-Z]+)\)/, '')
  // Line by line, the ends of a text's lines would do.
  if (/^\(\?[a-zA-Z]*m/.test(pattern)) return false
  const begins = /^(\^|\\A)/.test(body)
  const ends = /(\\z|\$)$/.test(body) && !/(^|[^\\])(\\\\)*\\\$$/.test(body)
  return begins && ends && !hasOuterAlternative(body)
}

function hasOuterAlternative(pattern: string): boolean {
  let depth = 0
  let inClass = false
  for (let index = 0; index < pattern.length; index++) {
    const character = pattern.charAt(index)
    if (character === '\\') index++
    else if (inClass) inClass = character !== ']'
    else if (character === '[') {
      inClass = true
      // A bracket right after the opening one, or after its caret, stands for itself.
      if (pattern.charAt(index + 1) === '^') index++
      if (pattern.charAt(index + 1) === ']') index++
    } else if (character === '(') depth++
    else if (character === ')') depth--
    else if (character === '|' && depth === 0) return true
  }
  return false
}

function shown(pattern: string): string {
  return pattern.length > 100 ? `${pattern.slice(0, 100)}…` : pattern
}
