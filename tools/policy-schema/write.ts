import { writeFileSync } from 'node:fs'
import { GUARDRAILS_TESTS, SHAPES } from '../../src/cli/policy/open-folder.ts'
import {
  guardrailsTestsJsonSchema,
  policyFileJsonSchema,
} from '../../src/policy-file/policy-file-json-schema.ts'
import { createPolicyFileSchema } from '../../src/policy-file/policy-file-schema.ts'

/** Writes the JSON schemas of what stands in files, which a test holds against the code: `npm run policy:schema`. */
const SCHEMAS = {
  'identity.schema.json': policyFileJsonSchema(createPolicyFileSchema(SHAPES)),
  'guardrails-tests.schema.json': guardrailsTestsJsonSchema(GUARDRAILS_TESTS),
}

for (const [name, schema] of Object.entries(SCHEMAS)) {
  writeFileSync(
    new URL(`../../docs/policies/${name}`, import.meta.url),
    `${JSON.stringify(schema, null, 2)}\n`,
  )
}
