import { isJsonObject, type JsonObject, type JsonValue } from '../json.ts'
import type { PolicyProblem } from './policy-problem.ts'
import { type Handover, reached } from './reached.ts'
import {
  argumentName,
  callOf,
  claimOf,
  listAt,
  localName,
  nodesOf,
  ownName,
  refTerms,
  ruleName,
  ruleUsed,
  TOP,
  usesOf,
} from './rego-tree.ts'

/** Built-in functions that make a text, a number or a list of what they are given, and nothing that is false. */
const NEVER_FALSE = [
  'concat',
  'count',
  'format_int',
  'indexof',
  'lower',
  'replace',
  'split',
  'strings.replace_n',
  'strings.reverse',
  'substring',
  'to_number',
  'trim',
  'trim_left',
  'trim_prefix',
  'trim_right',
  'trim_space',
  'trim_suffix',
  'upper',
]

/** What all claims come from, as a name among those of rules. */
const CLAIMS = 'input.claims'

/**
 * Claims that stand alone as an expression: being text they are never false, so that whatever they say meets it. One
 * that is handed on by a local variable, a rule or a function is the same claim.
 */
export function bareClaimProblems(tree: JsonObject, kind: string): readonly PolicyProblem[] {
  const scopes = listAt(tree, 'rules').map((rule, index) => ({ rule, scope: String(index) }))
  const handovers = scopes.flatMap(({ rule, scope }) => [...handoversIn(rule, scope)])
  const claims = reached([CLAIMS], handovers)
  return scopes.flatMap(({ rule, scope }) =>
    [...nodesOf(rule, TOP)]
      .filter(({ node }) => valuesAlone(node, scope).some((name) => claims.has(name)))
      .map(({ place }) => ({
        code: 'bare_claim',
        message: 'A claim that stands alone is met by whatever it says, by "false" too.',
        hint: 'Compare it, as in input.claims.NAME == "true", or write is_string(input.claims.NAME) where it only has to be there.',
        file: `${kind}.rego`,
        ...place,
      })),
  )
}

function* handoversIn(rule: JsonObject, scope: string): Generator<Handover> {
  const head = isJsonObject(rule.head) ? rule.head : {}
  yield* handedTo(ruleName(rule), valuesOf(head.value, scope))
  for (const [index, argument] of listAt(head, 'args').entries()) {
    yield* taken([argument], [argumentName(ruleName(rule), index)], scope)
  }
  for (const { node } of nodesOf(rule, TOP)) {
    const call = callOf(node)
    if (call !== undefined) yield* handoversOf(call, scope)
    const { key = null, value = null, domain } = node
    if (domain !== undefined) yield* taken([key, value], valuesOf(domain, scope), scope)
  }
}

function* handoversOf(
  { name, parts }: { readonly name: string; readonly parts: readonly JsonValue[] },
  scope: string,
): Generator<Handover> {
  const patterns = parts.slice(0, -1)
  const [first, last] = [parts[0], parts.at(-1)]
  if (name === 'assign' || name === 'eq' || name.startsWith('internal.member_')) {
    yield* taken(patterns, valuesOf(last, scope), scope)
  }
  if (name === 'eq') yield* taken(parts.slice(1), valuesOf(first, scope), scope)
  for (const [index, part] of parts.entries()) {
    yield* handedTo(argumentName(ownName(name), index), valuesOf(part, scope))
  }
}

/** Every variable of the patterns takes what these stand for, or a part of it: all by one name between, as both may be many. */
function* taken(
  patterns: readonly JsonValue[],
  values: readonly string[],
  scope: string,
): Generator<Handover> {
  const variables = [...usesOf([...patterns], TOP)].map(({ name }) => localName(name, scope))
  if (values.length === 0) return
  const between = [...variables, ...values].join(' ')
  yield* handedTo(between, values)
  for (const to of variables) yield { from: between, to }
}

function handedTo(to: string, values: readonly string[]): readonly Handover[] {
  return values.map((from) => ({ from, to }))
}

/** What an expression that is nothing but a value has it from; none for any other node. */
function valuesAlone(node: JsonObject, scope: string): readonly string[] {
  if (!Object.hasOwn(node, 'terms') || node.negated === true) return []
  return valuesOf(Array.isArray(node.terms) ? node : node.terms, scope)
}

/** The names that a term has its value from: of what it refers to, or of the function that it calls. */
function valuesOf(term: JsonValue | undefined, scope: string): readonly string[] {
  if (!isJsonObject(term)) return []
  const call = callOf(term)
  if (call !== undefined) {
    const isOfItsParts = NEVER_FALSE.includes(call.name)
    return isOfItsParts ? call.parts.flatMap((part) => valuesOf(part, scope)) : [ownName(call.name)]
  }
  if (term.type === 'array') return listAt(term, 'value').flatMap((part) => valuesOf(part, scope))
  const [head = term] = refTerms(term) ?? []
  if (head.type === 'call') return valuesOf(head, scope)
  if (head.type !== 'var') return []
  const [use] = usesOf(term, TOP)
  if (use === undefined) return []
  if (use.name === 'input') return claimOf(use) === undefined ? [] : [CLAIMS]
  return [ruleUsed(use), localName(use.name, scope)]
}
