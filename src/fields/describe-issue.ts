import { z } from 'zod'
import { shownList, shownText } from './field-path.ts'
import { nearestName, sameName } from './nearest-name.ts'

export type FieldProblem = { readonly path: readonly PropertyKey[]; readonly message: string }
type Issue = z.core.$ZodIssue

/** What a schema's owner has to say of a field that does not fit, in place of what is said of every field. */
export type FieldHint = (path: readonly PropertyKey[], value: unknown) => string | undefined

/**
 * Puts a schema's issues into one problem that says how to mend it. A name that is no field comes first, because it
 * is mostly why another one is missing.
 */
export function describeIssues(
  schema: z.ZodType,
  issues: readonly Issue[],
  body: unknown,
  hint: FieldHint = () => undefined,
): FieldProblem {
  return describeEachIssue(schema, issues, body, hint)[0] ?? { path: [], message: 'is not valid' }
}

/** The same of all of them, in this order; each name that is no field is one. */
export function describeEachIssue(
  schema: z.ZodType,
  issues: readonly Issue[],
  body: unknown,
  hint: FieldHint = () => undefined,
): readonly FieldProblem[] {
  const isName = ({ code }: Issue) => code === 'unrecognized_keys'
  return [...issues.filter(isName), ...issues.filter((issue) => !isName(issue))].flatMap((issue) => {
    const paths =
      issue.code === 'unrecognized_keys' ? issue.keys.map((key) => [...issue.path, key]) : [issue.path]
    return paths.map((path) => {
      const value = valueAt(body, path)
      return { path, message: hint(path, value) ?? messageOf(schema, issue, path, value) }
    })
  })
}

function messageOf(schema: z.ZodType, issue: Issue, path: readonly PropertyKey[], value: unknown): string {
  if (issue.code === 'unrecognized_keys') {
    const near = nearestName(String(path.at(-1)), namesAt(schema, issue.path))
    return near === undefined ? 'is not a field' : `is not a field: the nearest is ${near}`
  }
  if (issue.code === 'invalid_key') return issue.issues[0]?.message ?? 'is not valid'
  return describe(issue, value, exampleAt(schema, path))
}

/** What fits at a place, where the schema gives an example of it. */
function exampleAt(schema: z.ZodType, path: readonly PropertyKey[]): unknown {
  const place = schemaAt(schema, path)
  const examples = place instanceof z.ZodType ? z.globalRegistry.get(place)?.examples : undefined
  return Array.isArray(examples) ? examples[0] : undefined
}

/** The fields there are at a place, to suggest one for a name that is none. */
function namesAt(schema: z.ZodType, path: readonly PropertyKey[]): readonly string[] {
  const object = schemaAt(schema, path)
  return object instanceof z.ZodObject ? Object.keys(object.shape) : []
}

function schemaAt(schema: z.ZodType, path: readonly PropertyKey[]): unknown {
  return unwrapped(path.reduce<unknown>((at, part) => innerOf(unwrapped(at), part), schema))
}

function innerOf(schema: unknown, part: PropertyKey): unknown {
  if (schema instanceof z.ZodObject) return schema.shape[String(part)]
  if (schema instanceof z.ZodArray) return schema.element
  return schema instanceof z.ZodRecord ? schema.valueType : undefined
}

function unwrapped(schema: unknown): unknown {
  return schema instanceof z.ZodOptional || schema instanceof z.ZodNullable
    ? unwrapped(schema.unwrap())
    : schema
}

function describe(issue: Issue, value: unknown, example: unknown): string {
  switch (issue.code) {
    case 'invalid_type':
      return wrongType(issue.expected, value, example)
    case 'invalid_value':
      return wrongValue(issue.values.map(String), value)
    case 'too_big':
      return `must ${size(issue.origin, 'at most', Number(issue.maximum))}`
    case 'too_small':
      return Number(issue.minimum) === 1 && issue.origin !== 'int'
        ? 'must not be empty'
        : `must ${size(issue.origin, 'at least', Number(issue.minimum))}`
    case 'invalid_format':
      return value === '' ? 'must not be empty' : issue.message
    default:
      return issue.message
  }
}

function wrongType(expected: string, value: unknown, example: unknown): string {
  if (value === undefined) return 'is required'
  if (expected === 'int' && typeof value === 'number') return 'must be a whole number'
  if (expected === 'number' && typeof value === 'number') return 'must be a finite number'
  const name = typeNames.get(expected) ?? expected
  if (expected === 'string' && (typeof value === 'number' || typeof value === 'boolean')) {
    return `must be a string, not ${jsonType(value)}: write "${value}" in quotes`
  }
  if (expected === 'array' && typeof value === 'string')
    return `must be a list: write [${shownText(value)}] as one`
  if (typeof value === 'string' && LITERALS.get(expected)?.test(value)) {
    return `must be ${name}, not a string: write ${value} without quotes`
  }
  if (expected === 'object' && example !== undefined) {
    return `must be an object, not ${jsonType(value)}: for example ${JSON.stringify(example)}`
  }
  return `must be ${name}, not ${jsonType(value)}`
}

/** What is written without quotes, by the type that it has then. */
const LITERALS: ReadonlyMap<string, RegExp> = new Map([
  ['number', /^-?(0|[1-9]\d{0,14})$/],
  ['int', /^-?(0|[1-9]\d{0,14})$/],
  ['boolean', /^(true|false)$/],
])

function wrongValue(values: readonly string[], value: unknown): string {
  if (value === undefined) return `is required: ${shownList(values)}`
  if (typeof value !== 'string') return `must be ${shownList(values)}, not ${jsonType(value)}`
  const near = nearestValue(value, values)
  const nearest = near === undefined ? '' : `: the nearest is ${shownText(near)}`
  return `must be ${shownList(values)}, not ${shownText(value)}${nearest}`
}

/** Of a code with digits one letter's difference is another one: who writes HS256 does not mean RS256. */
function nearestValue(value: string, values: readonly string[]): string | undefined {
  if (values.length === 1) return undefined
  return /\d/.test(value) ? sameName(value, values) : nearestName(value, values)
}

function size(origin: string, bound: string, limit: number): string {
  if (origin === 'string') return `have ${bound} ${limit} characters`
  if (origin === 'array') return `have ${bound} ${limit} entries`
  return `be ${bound} ${limit}`
}

const typeNames: ReadonlyMap<string, string> = new Map([
  ['string', 'a string'],
  ['boolean', 'true or false'],
  ['number', 'a number'],
  ['int', 'a whole number'],
  ['array', 'a list'],
  ['object', 'an object'],
  ['record', 'an object'],
])

function jsonType(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

function valueAt(body: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, part) => (typeof value === 'object' && value !== null ? Reflect.get(value, part) : undefined),
    body,
  )
}
