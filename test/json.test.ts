import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { decodeUtf8, isJsonObject, parseJsonStrictly } from '../src/json.ts'

describe('what means the same to every reader is parsed', () => {
  const texts = [
    '{}',
    '[]',
    'null',
    '"text"',
    '{"a":1,"b":{"a":1},"c":[{"a":1},{"a":1}]}',
    '{"a:b":":","c\\"":"\\\\","d\\\\":"\\\\\\""}',
    '{ "a" : "\\ud83d\\ude00" }',
    '{"a":"😀","":0}',
    '{"\\u003a":":"}',
  ]
  for (const text of texts) {
    test(text, () => {
      const parsed = parseJsonStrictly(text)

      assert.deepEqual(parsed, { ok: true, value: JSON.parse(text), hasNonFiniteNumber: false })
    })
  }
})

describe('what two readers could understand differently is refused', () => {
  const texts: readonly [string, string, RegExp][] = [
    ['no JSON', '{a:1}', /is not JSON/],
    ['nothing', '', /is not JSON/],
    ['a byte order mark', '\uFEFF{}', /is not JSON/],
    ['two values', '{}{}', /is not JSON/],
    ['a member twice', '{"a":1,"a":1}', /twice/],
    ['a member twice by its escape', '{"a":1,"\\u0061":2}', /twice/],
    ['a member twice far inside', '{"x":[{"y":{"a":1,"b":2,"a":3}}]}', /twice/],
    ['__proto__ twice', '{"__proto__":1,"__proto__":2}', /twice/],
    ['an array index twice', '{"0":1,"0":2}', /twice/],
    ['half a surrogate pair in a value', '{"a":"\\ud800"}', /surrogate/],
    ['half a surrogate pair in a name', '{"\\udc00":1}', /surrogate/],
    ['a surrogate pair the wrong way round', '{"a":["\\udc00\\ud800"]}', /surrogate/],
    ['a null character in a value', '{"a":{"b":["\\u0000"]}}', /null character/],
    ['a null character in a name', '{"a\\u0000":1}', /null character/],
    ['a raw control character', '{"a":"\n"}', /is not JSON/],
  ]
  for (const [name, text, problem] of texts) {
    test(name, () => {
      const parsed = parseJsonStrictly(text)

      assert.equal(parsed.ok, false)
      assert.match(parsed.ok ? '' : parsed.problem, problem)
    })
  }
})

describe('size is bounded', () => {
  const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)
  const withMembers = (count: number) =>
    JSON.stringify(Object.fromEntries(Array.from({ length: count }, (_, i) => [`m${i}`, i])))

  test('32 levels are parsed, 33 are not', () => {
    assert.equal(parseJsonStrictly(nested(32)).ok, true)
    assert.equal(parseJsonStrictly(nested(33)).ok, false)
  })

  test('a text of nothing but levels is refused, not a fault', () => {
    assert.equal(parseJsonStrictly(nested(100_000)).ok, false)
  })

  test('500 members are parsed, 501 are not', () => {
    assert.equal(parseJsonStrictly(withMembers(500)).ok, true)
    assert.equal(parseJsonStrictly(withMembers(501)).ok, false)
  })

  test('the members of all objects count together', () => {
    assert.equal(parseJsonStrictly(`[${withMembers(250)},${withMembers(250)}]`).ok, true)
    assert.equal(parseJsonStrictly(`[${withMembers(250)},${withMembers(251)}]`).ok, false)
  })

  test('the limits can be others', () => {
    assert.equal(parseJsonStrictly('[[1]]', { maxDepth: 1, maxMembers: 1 }).ok, false)
    assert.equal(parseJsonStrictly('[{"a":1,"b":2}]', { maxDepth: 2, maxMembers: 1 }).ok, false)
  })
})

test('a number that no double holds is let through and reported', () => {
  const parsed = parseJsonStrictly('{"a":[{"b":-1e400}]}')

  assert.equal(parsed.ok && parsed.hasNonFiniteNumber, true)
})

test('a member called __proto__ stays a member and changes no prototype', () => {
  const parsed = parseJsonStrictly('{"__proto__":{"exp":1}}')

  assert.ok(parsed.ok && isJsonObject(parsed.value))
  assert.equal(Object.getPrototypeOf(parsed.value), Object.prototype)
  assert.equal(parsed.value.exp, undefined)
  assert.ok(Object.hasOwn(parsed.value, '__proto__'))
})

test('bytes that are not UTF-8 are no text, and a byte order mark stays to be refused', () => {
  assert.equal(decodeUtf8(Buffer.from('ä€😀')), 'ä€😀')
  assert.equal(decodeUtf8(Buffer.from('\uFEFF{}')), '\uFEFF{}')
  const wrong = [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xe2, 0x82], [0xf4, 0x90, 0x80, 0x80]]
  for (const bytes of wrong) assert.equal(decodeUtf8(Uint8Array.from(bytes)), undefined)
})
