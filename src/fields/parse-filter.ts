import { shownList, shownText } from './field-path.ts'
import { nearestName } from './nearest-name.ts'

/** One comparison of a filter; all of a filter's must hold. */
export type FilterTerm = {
  readonly field: string
  readonly operator: '==' | 'contains'
  readonly value: string
}

/** The fields that a list can be filtered by: any text, or one of these values. */
export type FilterFields = Readonly<Record<string, 'text' | readonly string[]>>

export type ParsedFilter =
  | { readonly ok: true; readonly terms: readonly FilterTerm[] }
  | { readonly ok: false; readonly message: string }

const MAX_LENGTH = 2_000 // several emails and titles; a longer one is a list that should be asked for page by page
const MAX_TERMS = 20

// CEL's strings, of whose escapes only those of its quotes and of the backslash: no name holds another.
const COMPARISON =
  /\s*(?<field>\w+)\s*(?:==\s*(?<equal>"(?:[^"\\]|\\["'\\])*"|'(?:[^'\\]|\\["'\\])*')|\.\s*contains\s*\(\s*(?<part>"(?:[^"\\]|\\["'\\])*"|'(?:[^'\\]|\\["'\\])*')\s*\))\s*/y

/** Reads the part of CEL that filters are written in: comparisons of a field with a text, joined by `&&`. */
export function parseFilter(text: string, fields: FilterFields): ParsedFilter {
  if (text.length > MAX_LENGTH) return refused(`must have at most ${MAX_LENGTH} characters`)
  const terms: FilterTerm[] = []
  for (let at = 0; ; at += '&&'.length) {
    COMPARISON.lastIndex = at
    const found = COMPARISON.exec(text)
    if (found === null)
      return refused(`cannot be read from ${shownText(text.slice(at))} on: ${grammar(fields)}`)
    const term = toTerm(found.groups ?? {})
    const problem = termProblem(term, fields)
    if (problem !== undefined) return refused(problem)
    terms.push(term)
    at += found[0].length
    if (at === text.length) return { ok: true, terms }
    if (!text.startsWith('&&', at)) {
      return refused(`cannot be read from ${shownText(text.slice(at))} on: ${grammar(fields)}`)
    }
    if (terms.length === MAX_TERMS) return refused(`must have at most ${MAX_TERMS} comparisons`)
  }
}

function refused(message: string): ParsedFilter {
  return { ok: false, message }
}

function toTerm({ field = '', equal, part }: Readonly<Record<string, string | undefined>>): FilterTerm {
  const quoted = equal ?? part ?? ''
  return {
    field,
    operator: equal === undefined ? 'contains' : '==',
    value: quoted.slice(1, -1).replaceAll(/\\(.)/g, '$1'),
  }
}

function termProblem({ field, operator, value }: FilterTerm, fields: FilterFields): string | undefined {
  const kind = Object.hasOwn(fields, field) ? fields[field] : undefined
  if (kind === undefined) {
    const near = nearestName(field, Object.keys(fields))
    const mend = near === undefined ? grammar(fields) : `the nearest is ${near}`
    return `names ${shownText(field)}, by which this list cannot be filtered: ${mend}`
  }
  if (kind === 'text') return undefined
  if (operator === 'contains') return `compares ${field} by contains: it can only be compared by ==`
  return kind.includes(value) ? undefined : `says ${field} == ${shownText(value)}: it is ${shownList(kind)}`
}

function grammar(fields: FilterFields): string {
  const names = (wanted: (kind: FilterFields[string]) => boolean) =>
    Object.entries(fields)
      .filter(([, kind]) => wanted(kind))
      .map(([name]) => name)
      .join(', ')
  return (
    `it may say FIELD == "TEXT" and FIELD.contains("TEXT") with ${names((kind) => kind === 'text')}, ` +
    `FIELD == "VALUE" with ${names((kind) => kind !== 'text')}, joined by &&`
  )
}
