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
 * Two things are said by `meta`, beside what zod knows: `isRequired` of a field that is optional only so that its
 * absence gets a message of its own, and `parameter`, the schema that a parameter of the query is described by.
 */
export function toJsonSchemas(
  schemas: Readonly<Record<string, ZodType>>,
  io: 'input' | 'output',
): JsonSchemas {
  const { properties = {}, $defs = {} } = z.toJSONSchema(z.strictObject(schemas), {
    io,
    override: ({ zodSchema, jsonSchema }) => describe(zodSchema, jsonSchema),
  })
  const text = JSON.stringify({ schemas: properties, shared: $defs })
  return JSON.parse(text.replaceAll('"$ref":"#/$defs/', '"$ref":"#/components/schemas/'))
}

function describe(schema: z.core.$ZodTypes, described: Record<string, unknown>): void {
  const meta = z.globalRegistry.get(schema)
  if (meta?.parameter !== undefined) {
    delete described.pattern
    Object.assign(described, meta.parameter)
  }
  delete described.parameter
  delete described.isRequired
  // What a format says already, and what every integer of JSON is bound by.
  if (described.format === 'date-time' || described.format === 'uuid') delete described.pattern
  if (described.minimum === Number.MIN_SAFE_INTEGER) delete described.minimum
  if (described.maximum === Number.MAX_SAFE_INTEGER) delete described.maximum
  if (schema instanceof z.ZodObject) {
    const required = Object.keys(schema.shape).filter(
      (name) => z.globalRegistry.get(schema.shape[name])?.isRequired === true,
    )
    if (required.length > 0) {
      described.required = [...new Set([...((described.required as string[]) ?? []), ...required])]
    }
  }
}
