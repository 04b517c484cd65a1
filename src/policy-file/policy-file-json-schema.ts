import { type ZodType, z } from 'zod'

/** The shape of an identity's file as JSON Schema (2020-12), for editors: made of the schema that files are read by. */
export function policyFileJsonSchema(schema: ZodType): object {
  return {
    ...jsonSchemaOf(schema),
    // What the file's own check says in words.
    oneOf: [{ required: ['id'] }, { required: ['email'], properties: { project: false } }],
  }
}

/** The same of the file of the guardrails' tests. */
export function guardrailsTestsJsonSchema(schema: ZodType): object {
  return { title: 'The tests of the guardrails of claimgate, as a file', ...jsonSchemaOf(schema) }
}

function jsonSchemaOf(schema: ZodType): object {
  const { $schema, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })
  return { $schema, ...rest }
}
