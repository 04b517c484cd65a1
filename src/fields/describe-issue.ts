import { z } from 'zod'
import { shownList, shownText } from './field-path.ts'
import { nearestName } from './nearest-name.ts'

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
  const issue = issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0]
  if (issue === undefined) return { path: [], message: 'is not valid' }
  const path = issue.code === 'unrecognized_keys' ? [...issue.path, issue.keys[0] ?? ''] : issue.path
  const value = valueAt(body, path)
  return { path, message: hint(path, value) ?? messageOf(schema, issue, path, value) }
}

function messageOf(schema: z.ZodType, issue: Issue, path: readonly PropertyKey[], value: unknown): string {
  if (issue.code === 'unrecognized_keys') {
    const near = nearestName(String(path.at(-1)), namesAt(schema, issue.path))
    return near === undefined ? 'is not a field' : `is not a field: the nearest is ${near}`
  }
  if (issue.code === 'invalid_key') return issue.issues[0]?.message ?? 'is not valid'
  return describe(issue, value)
}

/** The fields there are at a place, to suggest one for a name that is none. */
function namesAt(schema: z.ZodType, path: readonly PropertyKey[]): readonly string[] {
  const place = path.reduce<unknown>((at, part) => innerOf(unwrapped(at), part), schema)
  const object = unwrapped(place)
  return object instanceof z.ZodObject ? Object.keys(object.shape) : []
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

function describe(issue: Issue, value: unknown): string {
  switch (issue.code) {
    case 'invalid_type':
      return wrongType(issue.expected, value)
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

function wrongType(expected: string, value: unknown): string {
  if (value === undefined) return 'is required'
  if (expected === 'int' && typeof value === 'number') return 'must be a whole number'
  const name = typeNames.get(expected) ?? expected
  if (expected === 'string' && (typeof value === 'number' || typeof value === 'boolean')) {
    return `must be a string, not ${jsonType(value)}: write "${value}" in quotes`
  }
  if (expected === 'array' && typeof value === 'string')
    return `must be a list: write [${shownText(value)}] as one`
  return `must be ${name}, not ${jsonType(value)}`
}

function wrongValue(values: readonly string[], value: unknown): string {
  if (value === undefined) return `is required: ${shownList(values)}`
  if (typeof value !== 'string') return `must be ${shownList(values)}, not ${jsonType(value)}`
  const near = nearestName(value, values)
  const nearest = near === undefined ? '' : `: the nearest is ${shownText(near)}`
  return `must be ${shownList(values)}, not ${shownText(value)}${nearest}`
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
