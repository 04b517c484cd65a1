import { isDeepStrictEqual, styleText } from 'node:util'
import { fieldPath } from '../../fields/field-path.ts'
import { diffModules } from '../../policy/diff-modules.ts'
import { GUARDRAILS_REGO } from '../../policy-file/read-guardrails-files.ts'
import type { Change, Changes, GuardrailsChange } from './plan-file.ts'
import { printable } from './printable.ts'
import { describeFailingTests, describeImpact } from './show-impact.ts'

const CONFIG = 'workloadIdentityConfig'
const SIGNS = { CREATE: '+', UPDATE: '~', DELETE: '-' } as const
const GRADE_COLOURS = { CRITICAL: 'red', WARNING: 'yellow', NOTE: 'cyan' } as const
const COLOURS = { CREATE: 'green', UPDATE: 'yellow', DELETE: 'red' } as const

/** A plan as one reads it: the guardrails, each identity, and each field of it that changes; lines that sum up. */
export function describePlan({ changes, guardrails }: Changes, unchanged: number): string {
  const count = (action: Change['action']) => changes.filter((change) => change.action === action).length
  const beside = guardrails === undefined ? '' : '; the guardrails change'
  const sum = `${count('CREATE')} to create, ${count('UPDATE')} to change, ${count('DELETE')} to delete, ${unchanged} unchanged${beside}.`
  const first = guardrails === undefined ? [] : describeGuardrails(guardrails)
  return `${[...first, ...changes.flatMap(describeChange), sum].join('\n')}\n`
}

function describeGuardrails({ before, after, impact, failingTests }: GuardrailsChange): readonly string[] {
  const action = before.source === '' ? 'CREATE' : after.source === '' ? 'DELETE' : 'UPDATE'
  const diffs = diffModules(moduleOf(before.source), moduleOf(after.source))
  return [
    styleText(COLOURS[action], `${SIGNS[action]} guardrails`),
    ...diffs.flatMap(({ diff }) => diff.trimEnd().split('\n').map(shownLine)),
    ...differences({ tests: before.tests }, { tests: after.tests }).map((line) => `    ${line}`),
    ...describeImpact(impact),
    ...describeFailingTests(failingTests),
    '',
  ]
}

function moduleOf(source: string) {
  return source === '' ? [] : [{ path: GUARDRAILS_REGO, source }]
}

function shownLine(line: string): string {
  return `    ${printable(line)}`
}

function describeChange({
  action,
  email,
  before,
  after,
  notices,
  findings,
  impact,
}: Change): readonly string[] {
  const title = styleText(COLOURS[action], `${SIGNS[action]} ${email}`)
  return [
    title,
    ...differences(before ?? {}, after ?? {}).map((line) => `    ${line}`),
    ...notices.map((notice) => `    ${styleText('cyan', 'notice')} ${notice.replace(`${CONFIG}.`, '')}`),
    ...describeFindings(findings),
    ...describeImpact(impact),
    '',
  ]
}

/** What stays as it is was told when it was saved. */
function describeFindings(findings: Change['findings']): readonly string[] {
  const told = findings.filter(({ isNew, isBlocking }) => isNew || isBlocking)
  const former = findings.length - told.length
  return [
    ...told.map(describeFinding),
    ...describeBlocking(findings.filter(({ isBlocking }) => isBlocking)),
    ...(former === 0 ? [] : [`    ${former} finding${former === 1 ? '' : 's'} as before: --json shows them`]),
  ]
}

/** What an apply would be refused for, and how it is not. */
function describeBlocking(findings: Change['findings']): readonly string[] {
  if (findings.length === 0) return []
  const named = findings.map(({ code, rule }) => `${code}${rule === undefined ? '' : ` (${shown(rule)})`}`)
  const line = `BLOCK_FINDINGS refuses an apply for ${named.join(', ')}, unless it says why: apply --acknowledge REASON`
  return [`    ${styleText('red', 'to acknowledge')} ${line}`]
}

function describeFinding({ code, grade, rule, message, change }: Change['findings'][number]): string {
  const where = rule === undefined ? '' : ` (${shown(rule)})`
  return `    ${styleText(GRADE_COLOURS[grade], grade.toLowerCase())} ${code}${where}: ${message} ${change}`
}

/** A line for each field that is another; of rules by their ids, of tests by their titles, of other objects by their place. */
function differences(before: unknown, after: unknown, path: readonly PropertyKey[] = []): readonly string[] {
  if (isDeepStrictEqual(before, after)) return []
  const [old, now] = [membersOf(before), membersOf(after)]
  const isNew = before === undefined && now?.size === 0
  if (now === undefined || isNew || (old === undefined && before !== undefined)) {
    return [describeField(path, before, after)]
  }
  const former = old ?? new Map<PropertyKey, unknown>()
  const lines = [...new Set([...former.keys(), ...now.keys()])].flatMap((name) =>
    differences(
      former.get(name),
      now.get(name),
      name === CONFIG && path.length === 0 ? path : [...path, name],
    ),
  )
  if (lines.length > 0) return lines
  return [`${fieldPath(path)}: in another order, ${shown([...former.keys()])} -> ${shown([...now.keys()])}`]
}

/** What a value is made of, by name, id, title or place; undefined for what is shown whole, as lists of plain values are. */
function membersOf(value: unknown): ReadonlyMap<PropertyKey, unknown> | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  if (!Array.isArray(value)) return new Map(Object.entries(value))
  // An empty list may be of objects.
  if (value.length > 0 && value.every((item) => typeof item !== 'object' || item === null)) return undefined
  const names = value.map((item) => item.id ?? item.title)
  return new Map(value.map((item, index) => [nameAt(names, index), item]))
}

/** Of several that are named alike those after the first have a number too. */
function nameAt(names: readonly unknown[], index: number): PropertyKey {
  const name = names[index]
  if (typeof name !== 'string') return index
  const before = names.slice(0, index).filter((other) => other === name).length
  return before === 0 ? name : `${name} (${before + 1})`
}

function describeField(path: readonly PropertyKey[], before: unknown, after: unknown): string {
  const name = fieldPath(path)
  if (before === undefined) return `${name}: ${shown(after)}`
  return `${name}: ${shown(before)} -> ${after === undefined ? styleText('red', 'removed') : shown(after)}`
}

/** In JSON, so that no text of an author's can be taken for anything else, nor move the cursor. */
function shown(value: unknown): string {
  return JSON.stringify(value)
}
