import type { ZodType } from 'zod'
import { invalidArgument } from '../errors.ts'
import type { FieldHint } from '../fields/describe-issue.ts'
import { fieldPath } from '../fields/field-path.ts'
import { readFields } from '../fields/read-fields.ts'

/** Checks a request's part against its schema; throws `invalid_argument` that names the first field at fault. */
export function parse<Value>(schema: ZodType<Value>, value: unknown, hint?: FieldHint): Value {
  const read = readFields(schema, value, hint)
  if (read.ok) return read.value
  throw invalidArgument(`${fieldPath(read.problem.path) || 'The body'} ${read.problem.message}.`)
}

/** The same for one parameter of the query. */
export function parseParameter<Value>(name: string, schema: ZodType<Value>, text: string): Value {
  const read = readFields(schema, text)
  if (read.ok) return read.value
  throw invalidArgument(`The parameter ${name} ${read.problem.message}.`)
}
