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
  // The variables, each in its rule, and the arguments of own functions that stand for all claims.
  const names = reached(
    [ALL],
    rules.flatMap((scoped) => [...handoversIn(scoped, functions)]),
  )
  return rules.flatMap(({ rule, scope }) => {
    const isAll = (term: JsonValue | undefined) => names.has(nameOf(term, scope) ?? '')
    const nodes = [...nodesOf(rule, TOP)]
    const declared = new Set(nodes.flatMap(({ node }) => listAt(node, 'symbols')))
    return nodes.flatMap(({ node, place }) => {
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

/** Where one name gets what another stands for. */
function* handoversIn({ rule, scope }: Scoped, functions: ReadonlySet<string>): Generator<Handover> {
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
  const [head = term, ...path] = refTerms(term) ?? []
  const name = textOf(head, 'var')
  if (name === 'input') return path.length <= 1 && claimOf({ name, path }) !== undefined ? ALL : undefined
  return name === undefined || path.length > 0 ? undefined : localName(name, scope)
}
