import { type ZodType, z } from 'zod'

/** A schema of JSON Schema 2020-12, or any part of one. */
export type JsonSchema = { readonly [keyword: string]: unknown }

/** `shared` are those that have an id, by it: the others refer to them. */
export type JsonSchemas = {
  readonly schemas: Readonly<Record<string, JsonSchema>>
  readonly shared: Readonly<Record<string, JsonSchema>>
}

/**
 * Writes schemas as JSON Schema, as a request gives them ('input') or as we answer ('output').
 * `meta` says two things beside what zod knows. A description that begins with "Required:" is of what is optional only
 * so that its absence gets a message of its own. `parameter` is how a parameter of the query is described. A field that
 * may be anything or missing is ours to fill (AIP-203).
 */
export function toJsonSchemas(
  schemas: Readonly<Record<string, ZodType>>,
  io: 'input' | 'output',
): JsonSchemas {
  const { properties = {}, $defs = {} } = z.toJSONSchema(z.strictObject(schemas), {
    io,
    override: ({ zodSchema, jsonSchema }) => describe(zodSchema, jsonSchema, io),
  })
  const text = JSON.stringify({ schemas: properties, shared: $defs })
  return JSON.parse(text.replaceAll('"$ref":"#/$defs/', '"$ref":"#/components/schemas/'))
}

/** Whether a request must have what this is the schema of. */
export function isRequired(schema: z.core.$ZodType | undefined): boolean {
  return schema !== undefined && REQUIRED.test(z.globalRegistry.get(schema)?.description ?? '')
}

const REQUIRED = /^Required: (.)/

function describe(schema: z.core.$ZodType, described: Record<string, unknown>, io: 'input' | 'output'): void {
  const { parameter } = z.globalRegistry.get(schema) ?? {}
  if (parameter !== undefined) {
    delete described.parameter
    delete described.pattern
    Object.assign(described, parameter)
  }
  if (typeof described.description === 'string') {
    described.description = described.description.replace(REQUIRED, (_, first: string) => first.toUpperCase())
  }
  // What a format says already, and what every integer of JSON is bound by.
  if (described.format === 'date-time' || described.format === 'uuid') delete described.pattern
  if (described.minimum === Number.MIN_SAFE_INTEGER) delete described.minimum
  if (described.maximum === Number.MAX_SAFE_INTEGER) delete described.maximum
  const mayBeAnything = schema instanceof z.ZodOptional && schema.unwrap() instanceof z.ZodUnknown
  if (io === 'input' && mayBeAnything) described.readOnly = true
  if (schema instanceof z.ZodObject) {
    const { required = [] } = described as { readonly required?: readonly string[] }
    const more = Object.keys(schema.shape).filter((name) => isRequired(schema.shape[name]))
    const all = [...new Set([...required, ...more])]
    if (all.length > 0) described.required = all
  }
}
