import { type ZodObject, z } from 'zod'

/** The shape of a file as JSON Schema (2020-12), for editors: made of the schema that files are read by. */
export function policyFileJsonSchema(schema: ZodObject): object {
  const { $schema, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })
  return {
    $schema,
    ...rest,
    // What the file's own check says in words.
    oneOf: [{ required: ['id'] }, { required: ['email'], properties: { project: false } }],
  }
}
