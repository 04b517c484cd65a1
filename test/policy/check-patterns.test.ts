import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { patternProblems } from '../../src/policy/check-patterns.ts'
import { realOpa } from './policy-world.ts'

const opa = realOpa()

async function problemsOf(body: string) {
  const source = `package claimgate.conditions\n${body}\n`
  const parsed = await opa.parse({ path: 'conditions.rego', source })
  assert.ok(parsed.ok, JSON.stringify(parsed))
  return patternProblems(parsed.tree as Parameters<typeof patternProblems>[0], 'conditions')
}

const matching = (pattern: string) => `met contains "a" if regex.match(${pattern}, input.claims.ref)`

describe('a pattern that may match a part of a text is a problem', () => {
  const cases: readonly [pattern: string, hint: RegExp][] = [
    ['main', /: '\^main\$'\.$/],
    ['(?i)main', /: '\(\?i\)\^main\$'\.$/],
    ['^main\\$', /: '\^main\\\$\$'\.$/],
    ['^main|dev$', /: '\^\(main\|dev\)\$'\.$/],
    ['^*main$', /: '\^main\$'\.$/],
    ['^?main$', /: '\^main\$'\.$/],
    ['^{0,1}main$', /: '\^main\$'\.$/],
    ['^(?i)*main$', /too\.$/],
    ['^(?i)+(?s)*main$', /too\.$/],
    ['^\\Q\\E*main$', /too\.$/],
    ['\\A*main\\z', /: '\^main\$'\.$/],
    ['^main$?', /: '\^main\$'\.$/],
    ['^main$*', /: '\^main\$'\.$/],
    ['^main\\z{0,1}', /: '\^main\$'\.$/],
    ['^\\Q(\\E|main$', /./],
    ['(?m)^main$', /^Leave out the flag m/],
    ['^(?m)main$', /^Leave out the flag m/],
    ['^(?im:main)$', /^Leave out the flag m/],
  ]
  for (const [pattern, hint] of cases) {
    test(pattern, async () => {
      const problems = await problemsOf(matching(`\`${pattern}\``))

      assert.deepEqual(
        problems.map(({ code }) => code),
        ['pattern_not_anchored'],
      )
      assert.match(problems[0]?.hint ?? '', hint)
    })
  }
})

describe('a pattern of which it cannot be told what it matches is a problem', () => {
  for (const body of [
    matching('input.claims.environment'),
    matching('concat("", ["^", input.claims.environment, "$"])'),
    matching('$"^{input.claims.environment}$"'),
    matching('patterns.main'),
    `p := input.claims.environment\n${matching('p')}`,
    `p := "^main$" if input.time > 5\nelse := input.claims.environment\n${matching('p')}`,
    `p := "^main$"\nmet contains "a" if {\n\tsome p in input.claims.groups_direct\n\tregex.match(p, input.claims.ref)\n}`,
    `met contains "a" if {\n\tp := input.claims.environment\n\tregex.match(p, input.claims.ref)\n}`,
    `f(p) if regex.match(p, input.claims.ref)\nmet contains "a" if f("^main$")`,
  ]) {
    test(body.replaceAll('\n', ' ⏎ '), async () => {
      const problems = await problemsOf(body)

      assert.deepEqual(
        problems.map(({ code }) => code),
        ['pattern_not_literal'],
      )
      assert.match(problems[0]?.hint ?? '', /Write it out/)
    })
  }
})

describe('a pattern that is no regular expression is a problem', () => {
  for (const pattern of ['^release/([0-9+$', '^(main$', '^main)$', '^[z-a]$', '^a**$', '^a{2,1}$']) {
    test(pattern, async () => {
      const problems = await problemsOf(matching(`\`${pattern}\``))

      assert.deepEqual(
        problems.map(({ code }) => code),
        ['pattern_invalid'],
      )
    })
  }
})

describe('a pattern for the whole text is none', () => {
  for (const pattern of [
    '^main$',
    '\\Amain\\z',
    '(?i)^main$',
    '^(?i)main$',
    '^(main|dev)$',
    '^[|]$',
    '^(?P<m>main)$',
    '^\\(?m$',
    '^cost\\\\$',
    // These JavaScript reads otherwise.
    '^[[:alpha:]]+$',
    '^[](]$',
    '^[\\a-Z]$',
    '^[\\x{41}-z]$',
    '^[😀-😂]$',
    '^\\pL$',
  ]) {
    test(pattern, async () => assert.deepEqual(await problemsOf(matching(`\`${pattern}\``)), []))
  }

  for (const body of [
    `p := "^main$"\n${matching('p')}`,
    `p := "^main$"\n${matching('data.claimgate.conditions.p')}`,
    'met contains "a" if {\n\tp := "^main$"\n\tregex.match(p, input.claims.ref)\n}',
  ]) {
    test(body.replaceAll('\n', ' ⏎ '), async () => assert.deepEqual(await problemsOf(body), []))
  }
})

test('a long pattern is looked at once, from its begin to its end', async () => {
  for (const part of ['[', '$', '\\p{', '[[:a:]', '(?', '\\Q', '(']) {
    const [problem] = await problemsOf(matching(`\`${part.repeat(200_000 / part.length)}x\``))

    assert.equal(problem?.code, 'pattern_not_anchored')
  }
})
