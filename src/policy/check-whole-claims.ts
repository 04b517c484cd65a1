import { isJsonObject, type JsonObject, type JsonValue } from '../json.ts'
import type { PolicyProblem } from './policy-problem.ts'
import { callOf, listAt, nodesOf, refTerms, ruleName, TOP, textOf } from './rego-tree.ts'

/** Functions that say nothing of what the claims lack; those that give a value instead are found as such. */
const HARMLESS = ['assign', 'eq', 'is_object']
const GIVING_A_VALUE = /^(?:object\.(?:get|union|union_n|filter|remove)|json\.(?:filter|remove))$/
const MEMBER = /^internal\.member_/

/**
 * All claims at once, given to a function or gone through by `every`: their names, their number or their text say also
 * what is not among them, so that a condition could hold because a claim is absent. Under another name, and as the
 * argument of the module's own functions, they are followed.
 */
export function wholeClaimsProblems(tree: JsonObject, kind: string): readonly PolicyProblem[] {
  const rules = listAt(tree, 'rules').map((rule, index) => ({ rule, scope: String(index) }))
  const functions = new Set(rules.map(({ rule }) => ruleName(rule)))
  const names = namesOfAll(rules, functions)
  return rules.flatMap(({ rule, scope }) => {
    const isAll = (term: JsonValue | undefined) => standsForAll(term, scope, names)
    const declared = new Set([...nodesOf(rule, TOP)].flatMap(({ node }) => listAt(node, 'symbols')))
    return [...nodesOf(rule, TOP)].flatMap(({ node, place }) => {
      const call = callOf(node)
      const isTaken = isAll(node.domain) || call?.parts.some(isAll)
      if (!isTaken || declared.has(node)) return []
      const name = call?.name ?? 'every'
      if (HARMLESS.includes(name) || GIVING_A_VALUE.test(name) || functions.has(ownName(name))) return []
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

/** The variables, each in its rule, and the arguments of own functions that stand for all claims. */
function namesOfAll(rules: readonly Scoped[], functions: ReadonlySet<string>): ReadonlySet<string> {
  const names = new Set<string>()
  for (let before = -1; before < names.size; ) {
    before = names.size
    for (const { rule, scope } of rules) {
      const head = isJsonObject(rule.head) ? rule.head : {}
      for (const [index, argument] of listAt(head, 'args').entries()) {
        const variable = textOf(argument, 'var')
        if (names.has(argumentName(ruleName(rule), index))) names.add(localName(variable ?? '', scope))
      }
      for (const { node } of nodesOf(rule, TOP)) {
        const { name = '', parts = [] } = callOf(node) ?? {}
        const isAssigned = name === 'assign' || name === 'eq'
        for (const [index, part] of parts.entries()) {
          if (!standsForAll(part, scope, names)) continue
          const variable = isAssigned ? textOf(parts[1 - index], 'var') : undefined
          if (variable !== undefined) names.add(localName(variable, scope))
          if (functions.has(ownName(name))) names.add(argumentName(ownName(name), index))
        }
      }
    }
  }
  return names
}

function standsForAll(term: JsonValue | undefined, scope: string, names: ReadonlySet<string>): boolean {
  if (!isJsonObject(term)) return false
  const variable = textOf(term, 'var')
  if (variable !== undefined) return variable === 'input' || names.has(localName(variable, scope))
  const [head, part, ...more] = refTerms(term) ?? []
  return textOf(head, 'var') === 'input' && more.length === 0 && (part === undefined || mayBeClaims(part))
}

function mayBeClaims(part: JsonObject): boolean {
  return part.type !== 'string' || textOf(part, 'string') === 'claims'
}

/** A variable's in its rule; no rule's name has a space. */
function localName(variable: string, scope: string): string {
  return `${scope} ${variable}`
}

function argumentName(called: string, index: number): string {
  return `${called}(${index})`
}

/** Of a function of the module, which may be called by its whole path. */
function ownName(called: string): string {
  return called.replace(/^data\.claimgate\.\w+\./, '')
}
