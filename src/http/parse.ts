import type { ZodType } from 'zod'
import { invalidArgument } from '../errors.ts'

/** Checks a request's part against its schema; throws `invalid_argument` that names the first field at fault. */
export function parse<Value>(schema: ZodType<Value>, value: unknown): Value {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const [issue] = result.error.issues
  if (issue === undefined) throw invalidArgument('The request is malformed.')
  if (issue.code === 'unrecognized_keys')
    throw invalidArgument(`${fieldPath([...issue.path, issue.keys[0] ?? ''])} is not known here.`)
  throw invalidArgument(`${fieldPath(issue.path)}: ${issue.message}`)
}

function fieldPath(path: readonly PropertyKey[]): string {
  return path
    .map((part, index) => (typeof part === 'number' ? `[${part}]` : `${index > 0 ? '.' : ''}${String(part)}`))
    .join('')
}
