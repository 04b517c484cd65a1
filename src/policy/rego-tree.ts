import { isJsonObject, type JsonObject, type JsonValue } from '../json.ts'

/** Where something stands in its file, counted from 1. */
export type Place = { readonly row: number; readonly column: number }

/** Where what has no place of its own is said to stand. */
export const TOP: Place = { row: 1, column: 1 }

/** A node of the tree that `opa parse` writes, with its place or the nearest above it. */
export type RegoNode = { readonly node: JsonObject; readonly place: Place }

const MAX_DEPTH = 1000 // of the JSON; a hundred expressions in one another, and far below what a stack holds

/** Whether a tree is nested no deeper than what looks at it may go. */
export function isShallow(tree: unknown): boolean {
  let level: readonly unknown[] = [tree]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_DEPTH) return false
    level = level.flatMap((value) =>
      typeof value === 'object' && value !== null ? Object.values(value) : [],
    )
  }
  return true
}

/** Every object of a tree, each before what is in it. */
export function* nodesOf(tree: JsonValue | undefined, place: Place): Generator<RegoNode> {
  const open: [JsonValue, Place][] = tree === undefined ? [] : [[tree, place]]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [value, outer] = next
    if (typeof value !== 'object' || value === null) continue
    const isNode = isJsonObject(value)
    const here = (isNode ? placeOf(value) : undefined) ?? outer
    if (isNode) yield { node: value, place: here }
    const inner = isNode
      ? Object.entries(value).filter(([name]) => name !== 'location')
      : Object.entries(value)
    for (const [, part] of inner.reverse()) open.push([part, here])
  }
}

/** The node's own place. */
export function placeOf(node: JsonObject): Place | undefined {
  const { location } = node
  if (!isJsonObject(location)) return undefined
  const { row, col } = location
  if (typeof row !== 'number' || typeof col !== 'number') return undefined
  return { row: Math.max(1, row), column: Math.max(1, col) }
}

/** The terms of a reference, as `input.claims.ref` has three; undefined for any other node. */
export function refTerms(node: JsonObject): readonly JsonObject[] | undefined {
  return node.type === 'ref' && isList(node.value) ? node.value.filter(isJsonObject) : undefined
}

/** The text of a string or the name of a variable. */
export function textOf(node: JsonValue | undefined, type: 'string' | 'var'): string | undefined {
  return isJsonObject(node) && node.type === type && typeof node.value === 'string' ? node.value : undefined
}

/** The function that a call or an expression calls, as `object.get`, and its arguments. */
export function callOf(
  node: JsonObject,
): { readonly name: string; readonly parts: readonly JsonValue[] } | undefined {
  const parts = node.type === 'call' ? node.value : node.terms
  if (!isList(parts)) return undefined
  const [called, ...rest] = parts
  const terms = isJsonObject(called) ? refTerms(called) : undefined
  if (terms === undefined) return undefined
  const names = terms.map((term) => textOf(term, 'var') ?? textOf(term, 'string') ?? '')
  return { name: names.join('.'), parts: rest }
}

/** The members of a list, where there is one. */
export function listAt(node: JsonObject, name: string): readonly JsonObject[] {
  const value = node[name]
  return isList(value) ? value.filter(isJsonObject) : []
}

export type RegoUse = {
  readonly name: string
  readonly path: readonly JsonObject[]
  readonly place: Place
  /** It stands for a function that is called. */
  readonly isCalled: boolean
}

/** What a tree refers to: the head of each reference with its further terms, and each variable that stands alone. */
export function* usesOf(tree: JsonValue | undefined, place: Place): Generator<RegoUse> {
  const heads = new Set<JsonValue | undefined>()
  const called = new Set<JsonValue | undefined>()
  for (const { node, place: here } of nodesOf(tree, place)) {
    const parts = node.type === 'call' ? node.value : node.terms
    if (isList(parts)) called.add(parts[0])
    if (heads.has(node)) continue
    const [head = node, ...path] = refTerms(node) ?? []
    const name = textOf(head, 'var')
    if (name === undefined) continue
    if (head !== node) heads.add(head)
    yield { name, path, place: here, isCalled: called.has(node) }
  }
}

/** The claim that a reference reads; '' where it reads them all, or one that only the token's judging will name. */
export function claimOf({ name, path }: Pick<RegoUse, 'name' | 'path'>): string | undefined {
  if (name !== 'input') return undefined
  const [part, claim] = path
  if (part !== undefined && textOf(part, 'string') !== 'claims' && part.type === 'string') return undefined
  return part === undefined ? '' : (textOf(claim, 'string') ?? '')
}

/** The first part of a rule's name, as `met` of `met.code`. */
export function ruleName(rule: JsonObject): string {
  const head = isJsonObject(rule.head) ? rule.head : {}
  return textOf(listAt(head, 'ref')[0], 'var') ?? ''
}

/** A rule of the module by its name, or by its whole path `data.claimgate.conditions.NAME`. */
export function ruleUsed({ name, path }: RegoUse): string {
  return name === 'data' ? (textOf(path[2], 'string') ?? '') : name
}

/** A variable by a name that only its rule has: no rule's own has a space. */
export function localName(variable: string, scope: string): string {
  return `${scope} ${variable}`
}

/** What a function is given at a place, by a name that only it has. */
export function argumentName(called: string, index: number): string {
  return `${called}(${index})`
}

/** The name of a function of the module, which may be called by its whole path. */
export function ownName(called: string): string {
  return called.replace(/^data\.claimgate\.\w+\./, '')
}

function isList(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value)
}
