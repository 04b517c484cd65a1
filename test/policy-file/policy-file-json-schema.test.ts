import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { parse } from 'yaml'
import { GUARDRAILS_TESTS, SHAPES } from '../../src/cli/policy/open-folder.ts'
import {
  guardrailsTestsJsonSchema,
  policyFileJsonSchema,
} from '../../src/policy-file/policy-file-json-schema.ts'
import { createPolicyFileSchema } from '../../src/policy-file/policy-file-schema.ts'

const schema = policyFileJsonSchema(createPolicyFileSchema(SHAPES))
const testsSchema = guardrailsTestsJsonSchema(GUARDRAILS_TESTS)
const docs = (name: string) => readFileSync(new URL(`../../docs/policies/${name}`, import.meta.url), 'utf8')

function validator(of: object) {
  const ajv = new Ajv2020({ strict: false })
  addFormats.default(ajv)
  return ajv.compile(of)
}

test('the schemas that editors use are those of the code: npm run policy:schema writes them', () => {
  const same = (written: string, made: object) =>
    assert.deepEqual(JSON.parse(docs(written)), JSON.parse(JSON.stringify(made)))

  same('identity.schema.json', schema)
  same('guardrails-tests.schema.json', testsSchema)
})

test("that of the guardrails' tests lets the example through, and no other field, outcome or time", () => {
  const isValid = validator(testsSchema)
  const tests = (more: object) => ({ tests: [{ title: 'A', claims: {}, expect: 'DENIED', ...more }] })

  assert.equal(isValid(parse(docs('examples/guardrails.tests.yaml'))), true, JSON.stringify(isValid.errors))
  assert.equal(isValid(tests({ provider: 'GITHUB', reason: 'a', time: '2026-11-25T08:00:00+01:00' })), true)
  assert.equal(isValid(tests({ titel: 'x' })), false)
  assert.equal(isValid(tests({ expect: 'denied' })), false)
  assert.equal(isValid(tests({ time: 'yesterday' })), false)
  assert.equal(isValid({ ...tests({}), source: '' }), false)
  assert.equal(isValid({}), false)
})

test('it lets through an identity, and neither another field nor both ways to name it', () => {
  const isValid = validator(schema)
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
