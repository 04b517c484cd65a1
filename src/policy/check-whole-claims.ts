import { isJsonObject, type JsonObject, type JsonValue } from '../json.ts'
import type { PolicyProblem } from './policy-problem.ts'
import { reached } from './reached.ts'
import {
  argumentName,
  callOf,
  listAt,
  localName,
  nodesOf,
  ownName,
  refTerms,
  ruleName,
  TOP,
  textOf,
} from './rego-tree.ts'

/** Functions that say nothing of what the claims lack; those that give a value instead are found as such. */
const HARMLESS = ['assign', 'eq', 'is_object']
const GIVING_A_VALUE = /^(?:object\.(?:get|union|union_n|filter|remove)|json\.(?:filter|remove))$/
const MEMBER = /^internal\.member_/

/**
 * All claims at once, given to a function or gone through by `every`: their names, their number or their text say also
 * what is not among them, so that a condition could hold because a claim is absent. Under another name, and as the
 * argument of the module's own functions, they are followed.
 */
export function wholeClaimsProblems(
  tree: JsonObject,
  kind: string,
  builtins: ReadonlySet<string>,
): readonly PolicyProblem[] {
  const rules = listAt(tree, 'rules').map((rule, index) => ({ rule, scope: String(index) }))
  const functions = new Set(rules.map(({ rule }) => ruleName(rule)))
  const names = namesOfAll(rules, functions)
  return rules.flatMap(({ rule, scope }) => {
    const isAll = (term: JsonValue | undefined) => names.has(nameOf(term, scope) ?? '')
    const declared = new Set([...nodesOf(rule, TOP)].flatMap(({ node }) => listAt(node, 'symbols')))
    return [...nodesOf(rule, TOP)].flatMap(({ node, place }) => {
      const call = callOf(node)
      const isTaken = isAll(node.domain) || call?.parts.some(isAll)
      if (!isTaken || declared.has(node)) return []
      const name = call?.name ?? 'every'
      // What is no function at all the compiler tells.
      if (call !== undefined && !builtins.has(name)) return []
      if (HARMLESS.includes(name) || GIVING_A_VALUE.test(name)) return []
      return {
        code: 'all_claims',
        message: `${MEMBER.test(name) ? 'in' : name} looks at all claims at once, and so also at which of them are absent.`,
        hint: 'Read the claim itself, input.claims.NAME, and compare it with what it must be.',
        file: `${kind}.rego`,
        ...place,
      }
    })
  })
}

type Scoped = { readonly rule: JsonObject; readonly scope: string }

/** What stands for all claims, as a name among those of variables. */
const ALL = 'input.claims'

/** The variables, each in its rule, and the arguments of own functions that stand for all claims. */
function namesOfAll(rules: readonly Scoped[], functions: ReadonlySet<string>): ReadonlySet<string> {
  const handovers = Map.groupBy(
    rules.flatMap((scoped) => [...handoversIn(scoped, functions)]),
    ({ from }) => from,
  )
  return reached([ALL], (name) => handovers.get(name)?.map(({ to }) => to) ?? [])
}

/** Where one name gets what another stands for. */
function* handoversIn(
  { rule, scope }: Scoped,
  functions: ReadonlySet<string>,
): Generator<{ readonly from: string; readonly to: string }> {
  const head = isJsonObject(rule.head) ? rule.head : {}
  for (const [index, argument] of listAt(head, 'args').entries()) {
    const to = nameOf(argument, scope)
    if (to !== undefined) yield { from: argumentName(ruleName(rule), index), to }
  }
  for (const { node } of nodesOf(rule, TOP)) {
    const { name = '', parts = [] } = callOf(node) ?? {}
    for (const [index, part] of parts.entries()) {
      const from = nameOf(part, scope)
      if (from === undefined) continue
      const other = name === 'assign' || name === 'eq' ? nameOf(parts[1 - index], scope) : undefined
      if (other !== undefined) yield { from, to: other }
      if (functions.has(ownName(name))) yield { from, to: argumentName(ownName(name), index) }
    }
  }
}

/** Of a variable, or of all claims; undefined for any other term. */
function nameOf(term: JsonValue | undefined, scope: string): string | undefined {
  if (!isJsonObject(term)) return undefined
  const variable = textOf(term, 'var')
  if (variable !== undefined) return variable === 'input' ? ALL : localName(variable, scope)
  const [head, part, ...more] = refTerms(term) ?? []
  const isAll =
    textOf(head, 'var') === 'input' && more.length === 0 && (part === undefined || mayBeClaims(part))
  return isAll ? ALL : undefined
}

function mayBeClaims(part: JsonObject): boolean {
  return part.type !== 'string' || textOf(part, 'string') === 'claims'
}
