import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { renderSchema, typeOf } from '../../src/http/docs-schema.ts'
import { toJsonSchemas } from '../../src/http/openapi-schemas.ts'

/** A schema as the page says it, without markup. */
function said(schema: z.ZodType): string {
  const { schemas } = toJsonSchemas({ it: schema }, 'output')
  return typeOf(schemas.it ?? {})
    .text.replaceAll(/<[^>]+>/g, '')
    .replaceAll('&#34;', '"')
}

describe('a type is said as', () => {
  const CASES: readonly (readonly [schema: z.ZodType, text: string])[] = [
    [z.string(), 'string'],
    [z.string().nullable(), 'string or null'],
    [z.string().min(1), 'string, not empty'],
    [z.string().max(200), 'string, at most 200 characters long'],
    [z.string().min(1).max(255), 'string, 1 to 255 characters long'],
    [z.string().regex(/^\d$/), 'string, matches ^\\d$'],
    [z.iso.datetime(), 'date-time'],
    [z.iso.datetime().nullable(), 'date-time or null'],
    [z.uuid(), 'uuid'],
    [z.int(), 'integer'],
    [z.int().min(60).max(3600), 'integer, 60 to 3600'],
    [z.boolean(), 'boolean'],
    [z.literal('Bearer'), '"Bearer"'],
    [z.enum(['ONCE', 'MANY']), '"ONCE" or "MANY"'],
    [z.array(z.string()), 'list of string'],
    [z.array(z.string()).min(1).max(20), 'list of string, 1 to 20 long'],
    [
      z.array(z.string().min(1).max(255)).max(20),
      'list of string, at most 20 long, each 1 to 255 characters long',
    ],
    [z.array(z.string().min(1)), 'list of string, each not empty'],
    [z.tuple([z.strictObject({ a: z.string() })]), 'list of object, 1 long'],
    [z.record(z.string(), z.array(z.string())), 'map of names to list of string'],
    [z.strictObject({ a: z.string() }), 'object'],
    [z.union([z.string(), z.array(z.string())]), 'string or list of string'],
    [z.unknown(), 'anything'],
    [z.strictObject({ a: z.string() }).meta({ id: 'Thing' }), 'Thing'],
  ]
  for (const [schema, text] of CASES) {
    test(text, () => {
      assert.equal(said(schema), text)
    })
  }
})

test('the fields of what may be null, of lists and of maps are told too', () => {
  const inner = z.strictObject({ inside: z.string() })
  for (const schema of [inner.nullable(), z.array(inner), z.record(z.string(), inner), z.tuple([inner])]) {
    const { schemas } = toJsonSchemas({ it: z.strictObject({ outside: schema }) }, 'output')

    const { text } = renderSchema(schemas.it ?? {}, 'optional')

    assert.match(text, /outside.*inside/s)
  }
})

test('a request says which fields it must have, an answer which it may lack', () => {
  const schema = z.strictObject({ always: z.string(), sometimes: z.string().optional() })
  const { schemas } = toJsonSchemas({ it: schema }, 'output')

  const request = renderSchema(schemas.it ?? {}, 'required').text
  const answer = renderSchema(schemas.it ?? {}, 'optional').text

  assert.match(request, /always.*required.*sometimes/s)
  assert.doesNotMatch(request, /optional/)
  assert.match(answer, /sometimes.*optional/s)
  assert.doesNotMatch(answer, /required/)
})
