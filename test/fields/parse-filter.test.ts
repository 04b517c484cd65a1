import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type FilterFields, type FilterTerm, parseFilter } from '../../src/fields/parse-filter.ts'

const FIELDS: FilterFields = { title: 'text', email: 'text', state: ['ACTIVE', 'DELETED'] }

const is = (field: string, value: string): FilterTerm => ({ field, operator: '==', value })
const has = (field: string, value: string): FilterTerm => ({ field, operator: 'contains', value })

describe('a filter is read', () => {
  const cases: readonly (readonly [text: string, terms: readonly FilterTerm[]])[] = [
    ['title == "a"', [is('title', 'a')]],
    ["title=='a'", [is('title', 'a')]],
    ['  title  ==  "a"  ', [is('title', 'a')]],
    ['title.contains("a")', [has('title', 'a')]],
    ["title . contains ( 'a' )", [has('title', 'a')]],
    ['title == ""', [is('title', '')]],
    ['title.contains("")', [has('title', '')]],
    ['state == "DELETED"', [is('state', 'DELETED')]],
    [
      'title == "a" && email.contains("b")&&state == "ACTIVE"',
      [is('title', 'a'), has('email', 'b'), is('state', 'ACTIVE')],
    ],
    ['title.contains("a") && title.contains("b")', [has('title', 'a'), has('title', 'b')]],
    [`title == "it's"`, [is('title', "it's")]],
    [`title == 'say "x"'`, [is('title', 'say "x"')]],
    [String.raw`title == "say \"x\""`, [is('title', 'say "x"')]],
    [String.raw`title == 'it\'s'`, [is('title', "it's")]],
    [String.raw`title == "a\\"`, [is('title', 'a\\')]],
    [String.raw`title == "\\\""`, [is('title', '\\"')]],
    ['title == "a && b == c"', [is('title', 'a && b == c')]],
    ['title.contains("%_*")', [has('title', '%_*')]],
    ['title == "ÄÖ 漢字 🦊"', [is('title', 'ÄÖ 漢字 🦊')]],
  ]
  for (const [text, terms] of cases) {
    test(text, () => {
      assert.deepEqual(parseFilter(text, FIELDS), { ok: true, terms })
    })
  }
})

describe('a filter is refused, saying why', () => {
  const cases: readonly (readonly [text: string, message: RegExp])[] = [
    ['', /cannot be read/],
    [' ', /cannot be read/],
    ['title', /FIELD == "TEXT"/],
    ['title ==', /cannot be read from 'title ==' on/],
    ['title == a', /cannot be read/],
    ['title == 1', /cannot be read/],
    ['title = "a"', /cannot be read/],
    ['title != "a"', /cannot be read/],
    ['title == "a', /cannot be read/],
    [`title == "a'`, /cannot be read/],
    ['title == "a"b"', /cannot be read from 'b"' on/],
    [String.raw`title == "a\"`, /cannot be read/],
    [String.raw`title == "a\n"`, /cannot be read/],
    [String.raw`title == "\x41"`, /cannot be read/],
    ['title == r"a"', /cannot be read/],
    ['title == "a" &&', /cannot be read from '' on/],
    ['&& title == "a"', /cannot be read/],
    ['title == "a" & email == "b"', /cannot be read from '& email/],
    ['title == "a" || email == "b"', /cannot be read from '\|\| email/],
    ['title == "a" email == "b"', /cannot be read from 'email/],
    ['title == "a" AND email == "b"', /cannot be read/],
    ['(title == "a")', /cannot be read/],
    ['!(title == "a")', /cannot be read/],
    ['"a" == title', /cannot be read/],
    ['title.contains("a"', /cannot be read/],
    ['title.contains(a)', /cannot be read/],
    ['title.contains()', /cannot be read/],
    ['title.matches("a")', /cannot be read/],
    ['title.startsWith("a")', /cannot be read/],
    ['title.contains("a", "b")', /cannot be read/],
    ['name == "a"', /'name', by which this list cannot be filtered/],
    ['Title == "a"', /the nearest is title/],
    ['tittle == "a"', /the nearest is title/],
    ['constructor == "a"', /'constructor'/],
    ['__proto__ == "a"', /'__proto__'/],
    ['state == "GONE"', /state == 'GONE': it is 'ACTIVE' or 'DELETED'/],
    ['state == "active"', /'active'/],
    ['state.contains("ACTIVE")', /state by contains/],
    [`title == "${'a'.repeat(2_000)}"`, /2000 characters/],
    [Array(21).fill('title == "a"').join('&&'), /20 comparisons/],
  ]
  for (const [text, message] of cases) {
    test(text.slice(0, 60), () => {
      const parsed = parseFilter(text, FIELDS)

      assert.equal(parsed.ok, false)
      assert.match(parsed.message, message)
    })
  }

  test('in no time, however it is meant to take long', () => {
    const before = process.threadCpuUsage()

    for (const text of ['title =='.padEnd(2_000), `title == "${'\\'.repeat(1_980)}`, 'title .'.repeat(285)]) {
      assert.equal(parseFilter(text, FIELDS).ok, false)
    }

    assert.ok(process.threadCpuUsage(before).user < 200_000)
  })
})
