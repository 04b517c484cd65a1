import { isJsonObject, type JsonObject, type JsonValue } from '../json.ts'
import type { PolicyProblem } from './policy-problem.ts'
import { reached } from './reached.ts'
import {
  callOf,
  claimOf,
  listAt,
  nodesOf,
  placeOf,
  type RegoUse,
  ruleName,
  ruleUsed,
  TOP,
  usesOf,
} from './rego-tree.ts'

/** What fills in for a claim that is not there. */
const DEFAULTS = [
  'object.get',
  'object.union',
  'object.union_n',
  'object.filter',
  'object.remove',
  'json.filter',
  'json.remove',
]
const INSTEAD_OF_A_SET = 'Compare the claim itself with what it must be, or take a member with some … in.'
const COMPREHENSIONS = ['arraycomprehension', 'setcomprehension', 'objectcomprehension']

/**
 * Where a condition could hold because a claim is absent: `not`, a value to fall back on, a set that is then empty, and a
 * template text (which reads `<undefined>`) over claims, and `!=` over claims that a token may do without, which are all but `alwaysThere`.
 * What comes of claims counts as claims: through rules of the module, their arguments and local variables.
 */
export function absenceProblems(
  tree: JsonObject,
  kind: string,
  alwaysThere: ReadonlySet<string>,
): readonly PolicyProblem[] {
  const ofClaims = marksOf(tree, isAnyClaim)
  const ofAbsent = marksOf(tree, (use) => isAnyClaim(use) && !alwaysThere.has(claimOf(use) ?? ''))
  const problems: PolicyProblem[] = []
  for (const rule of listAt(tree, 'rules')) {
    const inRule = {
      isOfClaims: markedUses(rule, ofClaims),
      isOfAbsent: markedUses(rule, ofAbsent),
    }
    for (const { node, place } of nodesOf(rule, TOP)) {
      const problem = problemOf(node, inRule)
      if (problem !== undefined) problems.push({ ...problem, file: `${kind}.rego`, ...place })
    }
    const isOfClaims = ofClaims.rules.has(ruleName(rule)) || ofClaims.functions.has(ruleName(rule))
    const problem = isOfClaims ? ruleProblem(rule) : undefined
    if (problem !== undefined) problems.push({ ...problem, file: `${kind}.rego`, ...(placeOf(rule) ?? TOP) })
  }
  return problems
}

/** A rule over claims that has a value also where they are absent. */
function ruleProblem(rule: JsonObject): Pick<PolicyProblem, 'code' | 'message' | 'hint'> | undefined {
  const name = ruleName(rule)
  if (rule.default === true || rule.else !== undefined) {
    return {
      code: 'claim_with_default',
      message: `'${name}' is worked out of claims, and has another value where they are absent.`,
      hint: 'Leave out default and else: where the claim is absent, the condition is not met.',
    }
  }
  const head = isJsonObject(rule.head) ? rule.head : {}
  // A set, or an object that is put together: what they lack may be lacking because a claim is.
  if (name === 'met' || (head.key === undefined && listAt(head, 'ref').length === 1)) return undefined
  return {
    code: 'set_of_claims',
    message: `'${name}' is put together of claims, and is there and empty where they are absent.`,
    hint: INSTEAD_OF_A_SET,
  }
}

/** The rules that read claims, themselves or through others: the nodes as they stand in the tree. */
export function readsClaims(tree: JsonObject): ReadonlySet<JsonObject> {
  const marked = markedRules(tree, isAnyClaim)
  const reads = (use: RegoUse) => isAnyClaim(use) || marked.has(ruleUsed(use))
  return new Set(listAt(tree, 'rules').filter((rule) => [...bodyUses(rule)].some(reads)))
}

/** Without its head, whose name is that of all rules that share it. */
function bodyUses({ head, ...rest }: JsonObject): Iterable<RegoUse> {
  const { ref: _ref, ...inHead } = isJsonObject(head) ? head : {}
  return usesOf([rest, inHead], TOP)
}

type Marked = {
  readonly isMarked: IsMarked
  readonly rules: ReadonlySet<string>
  readonly functions: ReadonlySet<string>
}

function marksOf(tree: JsonObject, isMarked: IsMarked): Marked {
  const rules = markedRules(tree, isMarked)
  return { isMarked, rules, functions: functionsOfMarked(tree, rules) }
}

function isAnyClaim(use: RegoUse): boolean {
  return claimOf(use) !== undefined
}

type Marks = {
  readonly isOfClaims: (tree: JsonValue) => boolean
  readonly isOfAbsent: (tree: JsonValue) => boolean
}

function problemOf(
  node: JsonObject,
  { isOfClaims, isOfAbsent }: Marks,
): Pick<PolicyProblem, 'code' | 'message' | 'hint'> | undefined {
  if (node.negated === true && isOfClaims(node)) {
    return {
      code: 'negated_claim',
      message: "'not' over a claim also holds where the token does not have the claim.",
      hint: 'Say what the claim must be: input.claims.NAME == "…", or in {"…", "…"}.',
    }
  }
  if (node.type === 'templatestring' && isOfClaims(node)) {
    return {
      code: 'claim_in_template',
      message: "A template reads '<undefined>' for a claim that the token does not have.",
      hint: 'Compare the claim itself, or put texts together with concat.',
    }
  }
  if (COMPREHENSIONS.includes(String(node.type)) && isOfClaims(node)) {
    return {
      code: 'set_of_claims',
      message: 'A comprehension over claims is there and empty where they are absent.',
      hint: INSTEAD_OF_A_SET,
    }
  }
  const call = callOf(node)
  if (call?.name === 'neq' && call.parts.some(isOfAbsent)) {
    return {
      code: 'unequal_claim',
      message:
        "'!=' compares a claim that a token may do without: it says what the claim is not, and not what it is.",
      hint: 'Say what the claim must be: input.claims.NAME == "…", or in {"…", "…"}.',
    }
  }
  if (call !== undefined && DEFAULTS.includes(call.name) && call.parts.some(isOfClaims)) {
    return {
      code: 'claim_with_default',
      message: `${call.name} gives a value for a claim that the token does not have.`,
      hint: 'Read the claim itself, input.claims.NAME: where it is absent, the condition is not met.',
    }
  }
  return undefined
}

type IsMarked = (use: RegoUse) => boolean

/** The names of the rules that a mark reaches: by what they use, and by the rules that they use. */
function markedRules(tree: JsonObject, isMarked: IsMarked): ReadonlySet<string> {
  const rules = listAt(tree, 'rules').map((rule) => ({ name: ruleName(rule), uses: [...usesOf(rule, TOP)] }))
  const users = rules.flatMap(({ name, uses }) => uses.map((use) => ({ from: ruleUsed(use), to: name })))
  const first = rules.filter(({ uses }) => uses.some(isMarked)).map(({ name }) => name)
  return reached(first, users)
}

/** The names of the functions that a marked rule calls, or one that these call: what they are given may be marked. */
function functionsOfMarked(tree: JsonObject, marked: ReadonlySet<string>): ReadonlySet<string> {
  const calls = listAt(tree, 'rules').flatMap((rule) =>
    [...usesOf(rule, TOP)]
      .filter(({ isCalled }) => isCalled)
      .map((use) => ({ from: ruleName(rule), to: ruleUsed(use) })),
  )
  const first = calls.filter(({ from }) => marked.has(from)).map(({ to }) => to)
  return reached(first, calls)
}

/** Whether a part of this rule uses what is marked; a variable is once it stands in one expression with such. */
function markedUses(rule: JsonObject, { isMarked, rules, functions }: Marked): (tree: JsonValue) => boolean {
  const variables = new Set(functions.has(ruleName(rule)) ? argumentNames(rule) : [])
  const holds: IsMarked = (use) => isMarked(use) || rules.has(ruleUsed(use)) || variables.has(use.name)
  const expressions = [...nodesOf(rule, TOP)]
    .filter(({ node }) => Object.hasOwn(node, 'terms') || Object.hasOwn(node, 'domain'))
    .map(({ node }) => [...usesOf(node, TOP)])
  const standingIn = Map.groupBy(
    expressions.flatMap((uses) => uses.map(({ name }) => ({ name, uses }))),
    ({ name }) => name,
  )
  const open = expressions.filter((uses) => uses.some(holds))
  const taken = new Set<readonly RegoUse[]>()
  for (let uses = open.pop(); uses !== undefined; uses = open.pop()) {
    if (taken.has(uses)) continue
    taken.add(uses)
    for (const { name, isCalled } of uses) {
      if (isCalled || name === 'input' || name === 'data' || variables.has(name)) continue
      variables.add(name)
      for (const other of standingIn.get(name) ?? []) open.push(other.uses)
    }
  }
  return (tree) => [...usesOf(tree, TOP)].some(holds)
}

function argumentNames(rule: JsonObject): readonly string[] {
  const head = isJsonObject(rule.head) ? rule.head : {}
  return listAt(head, 'args').flatMap((node) => [...usesOf(node, TOP)].map(({ name }) => name))
}
