import { findTextProblem } from '../fields/find-text-problem.ts'
import { nearestName } from '../fields/nearest-name.ts'
import { isJsonObject, type JsonObject, type JsonValue } from '../json.ts'
import { absenceProblems, readsClaims } from './check-absence.ts'
import { bareClaimProblems } from './check-bare-claims.ts'
import { patternProblems } from './check-patterns.ts'
import { wholeClaimsProblems } from './check-whole-claims.ts'
import type { PolicyProblem } from './policy-problem.ts'
import {
  isShallow,
  listAt,
  nodesOf,
  type Place,
  placeOf,
  ruleName,
  TOP,
  textOf,
  usesOf,
} from './rego-tree.ts'

/** A module that somebody else than us writes: `package claimgate.conditions` of an identity, or the guardrails'. */
export type AuthoredKind = 'conditions' | 'guardrails'

/** A code that the module requires, with its author's message and where it stands. */
export type Requirement = {
  readonly code: string
  readonly message: string
  readonly place: Place
  /** Whether all that can meet it reads the token's claims. */
  readonly readsClaims: boolean
}

export type CheckedModule = {
  readonly problems: readonly PolicyProblem[]
  readonly requirements: readonly Requirement[]
}

type ModuleOptions = {
  readonly kind: AuthoredKind
  readonly alwaysThere: ReadonlySet<string>
  readonly builtins: ReadonlySet<string>
}
type Report = (
  place: Place,
  problem: { readonly code: string; readonly message: string; readonly hint: string },
) => void
type Met = { readonly code: string | undefined; readonly rule: JsonObject; readonly place: Place }

const MAX_PROBLEMS = 20
const MAX_TEMPLATES = 5 // each more takes the compiler two and a half times as long: seconds at 14
const MAX_NODES = 30_000 // looked at some ten times, on the thread that serves: 100 ms
const MAX_REQUIREMENTS = 50 // each is told in every decision
const MAX_MESSAGE = 300 // one sentence in a job's log
const CODE = /^[A-Za-z][A-Za-z0-9_.:-]{0,62}$/

/**
 * Looks through the syntax tree of such a module before anything else reads it: it is of its own package alone, what it
 * requires is a literal, and nothing in it holds because a claim is absent. So it can only take away.
 * `alwaysThere` are the claims that every token has, `builtins` the functions that there are.
 */
export function checkModule(tree: unknown, { kind, alwaysThere, builtins }: ModuleOptions): CheckedModule {
  const problems: PolicyProblem[] = []
  const report: Report = ({ row, column }, problem) => {
    problems.push({ ...problem, file: `${kind}.rego`, row, column })
  }
  if (!isJsonObject(tree) || !isShallow(tree)) {
    report(TOP, {
      code: 'nested_too_deeply',
      message: 'The module is nested too deeply.',
      hint: 'Split what stands inside one another into rules of their own.',
    })
    return { problems, requirements: [] }
  }
  if (templateDepth(tree) > MAX_TEMPLATES) {
    report(TOP, {
      code: 'nested_too_deeply',
      message: `There are more than ${MAX_TEMPLATES} templates in one another.`,
      hint: 'Put texts together with concat, or in rules of their own.',
    })
    return { problems, requirements: [] }
  }
  if (isLarge(tree)) {
    report(TOP, {
      code: 'module_too_large',
      message: `The module has more than ${MAX_NODES} expressions and values.`,
      hint: 'Leave out what the rules say already.',
    })
    return { problems, requirements: [] }
  }

  checkPackage(tree, kind, report)
  checkImports(tree, kind, report)
  checkAnnotations(tree, report)
  checkReferences(tree, kind, report)
  checkRuleNames(tree, kind, report)
  const required = readRequired(tree, kind, report)
  const met = readMet(tree, report)
  checkCodes(required, met, report)
  const found = [
    ...problems,
    ...absenceProblems(tree, kind, alwaysThere),
    ...wholeClaimsProblems(tree, kind, builtins),
    ...bareClaimProblems(tree, kind),
    ...patternProblems(tree, kind),
  ]
  const sorted = found.sort((a, b) => a.row - b.row || a.column - b.column)
  const claimReaders = readsClaims(tree)
  return {
    problems: sorted.slice(0, MAX_PROBLEMS),
    requirements: required.map((each) => ({
      ...each,
      readsClaims: met
        .filter(({ code }) => code === undefined || code === each.code)
        .every(({ rule }) => claimReaders.has(rule)),
    })),
  }
}

/** How many templates stand in one another. */
function templateDepth(value: JsonValue): number {
  if (typeof value !== 'object' || value === null) return 0
  const inner = Object.values(value).reduce<number>((most, part) => Math.max(most, templateDepth(part)), 0)
  return isJsonObject(value) && value.type === 'templatestring' ? inner + 1 : inner
}

function isLarge(tree: JsonObject): boolean {
  let count = 0
  for (const _ of nodesOf(tree, TOP)) if (++count > MAX_NODES) return true
  return false
}

function checkPackage(tree: JsonObject, kind: AuthoredKind, report: Report): void {
  const node = isJsonObject(tree.package) ? tree.package : {}
  const path = listAt(node, 'path').map((term) => textOf(term, 'var') ?? textOf(term, 'string') ?? '')
  if (path.join('/') === `data/claimgate/${kind}`) return
  report(placeOf(node) ?? TOP, {
    code: 'wrong_package',
    message: `The package is ${path.slice(1).join('.')}; it must be claimgate.${kind}.`,
    hint: `Begin the file with 'package claimgate.${kind}'.`,
  })
}

function checkImports(tree: JsonObject, kind: AuthoredKind, report: Report): void {
  for (const { name, path, place } of listAt(tree, 'imports').flatMap((node) => [
    ...usesOf(node.path, placeOf(node) ?? TOP),
  ])) {
    const imported = [name, ...path.map((term) => textOf(term, 'string') ?? '')].join('.')
    if (imported === 'rego.v1') continue
    report(place, {
      code: 'import_refused',
      message: `'import ${imported}' is refused: nothing but rego.v1 may be imported.`,
      hint: `Take it out: ${kind} read the input alone, and Rego 1 has its keywords without an import.`,
    })
  }
}

/** An annotation can make a rule an entrypoint, and replace the schema that claims are checked against. */
function checkAnnotations(tree: JsonObject, report: Report): void {
  for (const node of listAt(tree, 'annotations')) {
    for (const name of ['entrypoint', 'schemas'].filter((refused) => Object.hasOwn(node, refused))) {
      report(placeOf(node) ?? TOP, {
        code: 'annotation_refused',
        message: `METADATA with '${name}' is refused.`,
        hint: `Take '${name}' out of the comment: title and description may stay.`,
      })
    }
  }
}

function checkReferences(tree: JsonObject, kind: AuthoredKind, report: Report): void {
  for (const { name, path, place } of usesOf(tree.rules, TOP)) {
    if (name !== 'data') continue
    const [first, second] = path.map((term) => textOf(term, 'string'))
    if (first === 'claimgate' && second === kind) continue
    report(place, {
      code: 'foreign_data',
      message: `data outside of claimgate.${kind} is refused.`,
      hint: 'Read only the input, and rules of this file by their names.',
    })
  }
  for (const { node, place } of nodesOf(tree.rules, TOP)) {
    if (!Object.hasOwn(node, 'with')) continue
    report(place, {
      code: 'with_refused',
      message: "'with' is refused: it would judge another input than the token's.",
      hint: 'Leave it out; tests give their claims in a field of their own.',
    })
  }
}

/** Names that say something elsewhere, and nothing here: who writes one believes that it does. */
function checkRuleNames(tree: JsonObject, kind: AuthoredKind, report: Report): void {
  for (const rule of listAt(tree, 'rules')) {
    const name = ruleName(rule)
    if (!['allow', 'deny', 'violation', 'warn', 'verdict'].includes(name)) continue
    report(placeOf(rule) ?? TOP, {
      code: 'rule_without_effect',
      message: `A rule '${name}' does nothing in ${kind}: only 'required' and 'met' are looked at.`,
      hint: `Say what must hold: a code in 'required', and 'met contains "CODE" if …' for when it does.`,
    })
  }
}

type Required = { readonly code: string; readonly message: string; readonly place: Place }

/** A literal and nothing else: were it worked out, it could come to nothing, and then nothing would be required. */
function readRequired(tree: JsonObject, kind: AuthoredKind, report: Report): readonly Required[] {
  const rules = listAt(tree, 'rules').filter((rule) => ruleName(rule) === 'required')
  const hint = `Write it once, with its codes and messages: required := {"hosted_runner": "Only our runners may deploy."}`
  const [rule] = rules
  if (rule === undefined) {
    report(TOP, { code: 'required_missing', message: `There is no rule 'required' in these ${kind}.`, hint })
    return []
  }
  const head = isJsonObject(rule.head) ? rule.head : {}
  const entries = isJsonObject(head.value) && head.value.type === 'object' ? head.value.value : undefined
  const isPlain =
    rules.length === 1 &&
    rule.default !== true &&
    rule.else === undefined &&
    head.key === undefined &&
    head.args === undefined &&
    listAt(head, 'ref').length === 1 &&
    listAt(rule, 'body').every(({ generated }) => generated === true)
  if (!isPlain || !Array.isArray(entries)) {
    report(placeOf(rules[1] ?? rule) ?? TOP, {
      code: 'required_not_literal',
      message: "'required' must be one object, without conditions of its own.",
      hint,
    })
    return []
  }
  if (entries.length === 0 || entries.length > MAX_REQUIREMENTS) {
    report(placeOf(rule) ?? TOP, {
      code: 'required_size',
      message: `'required' has ${entries.length} codes: it must have 1 to ${MAX_REQUIREMENTS}.`,
      hint: entries.length === 0 ? `Leave ${kind} empty where nothing is required.` : 'Put several into one.',
    })
    return []
  }
  return entries.flatMap((entry: JsonValue) => readRequirement(entry, placeOf(rule) ?? TOP, report))
}

function readRequirement(entry: JsonValue, outer: Place, report: Report): readonly Required[] {
  const [key, value] = Array.isArray(entry) ? (entry as readonly JsonValue[]) : []
  const place = (isJsonObject(key) ? placeOf(key) : undefined) ?? outer
  const [code, message] = [textOf(key, 'string'), textOf(value, 'string')]
  if (code === undefined || !CODE.test(code)) {
    report(place, {
      code: 'required_code',
      message: 'A code must be text of 1 to 63 letters, digits and _ . : - with a letter first.',
      hint: 'Write it as in {"hosted_runner": "Only our runners may deploy."}.',
    })
    return []
  }
  const problem = message === undefined ? 'must be text, written out' : messageProblem(message)
  if (message === undefined || problem !== undefined) {
    report((isJsonObject(value) ? placeOf(value) : undefined) ?? place, {
      code: 'required_message',
      message: `The message of '${code}' ${problem}.`,
      hint: "Write one sentence for the job's author: it is shown in the job's log.",
    })
    return []
  }
  return [{ code, message, place }]
}

/** As a title: one line that a job's script can echo. */
function messageProblem(message: string): string | undefined {
  if (message.trim() === '') return 'must not be blank'
  if (message.length > MAX_MESSAGE) return `must have at most ${MAX_MESSAGE} characters`
  return findTextProblem(message)?.message
}

function readMet(tree: JsonObject, report: Report): readonly Met[] {
  return listAt(tree, 'rules')
    .filter((rule) => ruleName(rule) === 'met')
    .map((rule) => {
      const head = isJsonObject(rule.head) ? rule.head : {}
      const place = placeOf(rule) ?? TOP
      if (isJsonObject(head.key) && listAt(head, 'ref').length === 1 && rule.default !== true) {
        return { code: textOf(head.key, 'string'), rule, place }
      }
      report(place, {
        code: 'met_no_set',
        message: "'met' must be a set of codes.",
        hint: `Write: met contains "CODE" if …`,
      })
      // Whatever it is to meet: that nothing meets it follows from this.
      return { code: undefined, rule, place }
    })
}

function checkCodes(required: readonly Required[], met: readonly Met[], report: Report): void {
  const codes = required.map(({ code }) => code)
  for (const [index, { code, place }] of required.entries()) {
    if (codes.indexOf(code) < index) {
      report(place, {
        code: 'required_twice',
        message: `'${code}' is required twice.`,
        hint: 'Give each its own code.',
      })
    }
    if (met.some((each) => each.code === undefined || each.code === code)) continue
    report(place, {
      code: 'never_met',
      message: `Nothing meets '${code}', so no job would ever be allowed.`,
      hint: `Say when it is met: met contains "${code}" if …`,
    })
  }
  const unknown = met.filter(({ code }) => code !== undefined && codes.length > 0 && !codes.includes(code))
  for (const { code = '', place } of unknown.slice(0, MAX_PROBLEMS)) {
    const near = CODE.test(code) ? nearestName(code, codes) : undefined
    report(place, {
      code: 'not_required',
      message: `'${code.slice(0, 100)}' is met, but not required.`,
      hint: near === undefined ? "Add it to 'required', with its message." : `Did you mean ${near}?`,
    })
  }
}
