import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { SHAPES } from '../../src/cli/policy/open-folder.ts'
import { policyFileJsonSchema } from '../../src/policy-file/policy-file-json-schema.ts'
import { createPolicyFileSchema } from '../../src/policy-file/policy-file-schema.ts'

const schema = policyFileJsonSchema(createPolicyFileSchema(SHAPES))

test('the schema that editors use is that of the code: npm run policy:schema writes it', () => {
  const written = readFileSync(new URL('../../docs/policies/identity.schema.json', import.meta.url), 'utf8')

  assert.deepEqual(JSON.parse(written), JSON.parse(JSON.stringify(schema)))
})

test('it lets through an identity, and neither another field nor both ways to name it', () => {
  const isValid = new Ajv2020({ strict: false }).compile(schema)
  const identity = {
    id: 'deploy',
    providerType: 'GITLAB',
    issuerUrl: 'https://gitlab.com',
    rules: [{ group: 'acme' }],
  }

  assert.equal(isValid(identity), true, JSON.stringify(isValid.errors))
  assert.equal(isValid({ ...identity, titel: 'x' }), false)
  assert.equal(isValid({ ...identity, email: 'deploy@example.com' }), false)
  assert.equal(isValid({ ...identity, id: undefined }), false)
})
