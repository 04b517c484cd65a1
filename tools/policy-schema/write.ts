import { writeFileSync } from 'node:fs'
import { SHAPES } from '../../src/cli/policy/open-folder.ts'
import { policyFileJsonSchema } from '../../src/policy-file/policy-file-json-schema.ts'
import { createPolicyFileSchema } from '../../src/policy-file/policy-file-schema.ts'

/** Writes the JSON schema of an identity's file, which a test holds against the code: `npm run policy:schema`. */
const schema = policyFileJsonSchema(createPolicyFileSchema(SHAPES))
writeFileSync(
  new URL('../../docs/policies/identity.schema.json', import.meta.url),
  `${JSON.stringify(schema, null, 2)}\n`,
)
