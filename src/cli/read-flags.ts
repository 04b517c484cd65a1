import type { ZodType, z } from 'zod'
import { invalidArgument } from '../errors.ts'
import { readFields } from '../fields/read-fields.ts'
import type { Flags } from './command.ts'

type Schemas = Readonly<Record<string, ZodType>>
type Asked<Given extends Schemas> = { readonly [Name in keyof Given]: z.infer<Given[Name]> | undefined }

/** A command's flags as their schemas read them. Throws `invalid_argument` that names the one at fault. */
export function readFlags<Given extends Schemas>(schemas: Given, flags: Flags): Asked<Given> {
  const asked: Record<string, unknown> = {}
  for (const [name, schema] of Object.entries(schemas)) {
    const text = flags[name]
    if (text === undefined) continue
    // Most likely a variable that was not set: to leave the filter out would not be what was meant.
    if (text === '') throw invalidArgument(`--${name} must not be empty.`)
    const read = readFields<unknown>(schema, text)
    if (!read.ok) throw invalidArgument(`--${name} ${read.problem.message}.`)
    asked[name] = read.value
  }
  return asked as Asked<Given>
}
