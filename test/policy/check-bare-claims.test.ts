import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { realCompiler, ruleWith } from './policy-world.ts'

const compiler = await realCompiler()

/** Two lines, so that what follows begins with the third. */
const HEAD = 'package claimgate.conditions\nrequired := {"a": "A must hold."}\n'
const compile = (body: string) =>
  compiler.compile(
    compiler.gather({ provider: 'GITLAB', rules: [ruleWith()], conditions: `${HEAD}${body}\n` }),
  )

describe('a claim that stands alone as an expression is a problem, where it stands', () => {
  const cases: readonly [name: string, body: string, place: string][] = [
    ['by its name', 'met contains "a" if input.claims.ref_protected', '3:21'],
    ['in brackets', 'met contains "a" if input.claims["ref_protected"]', '3:21'],
    ['by a variable', 'met contains "a" if {\n\tsome n in ["ref"]\n\tinput.claims[n]\n}', '5:2'],
    ['all of them', 'met contains "a" if input.claims', '3:21'],
    ['of all by another name', 'met contains "a" if {\n\tc := input.claims\n\tc.ref_protected\n}', '5:2'],
    ['in a variable', 'met contains "a" if {\n\tx := input.claims.ref_protected\n\tx\n}', '5:2'],
    [
      'in a variable of a list',
      'met contains "a" if {\n\t[x, y] := [input.claims.ref, 1]\n\ty == 1\n\tx\n}',
      '6:2',
    ],
    ['a part of it', 'met contains "a" if {\n\tsome g in input.claims.groups_direct\n\tg\n}', '5:2'],
    ['each part of it', 'met contains "a" if every g in input.claims.groups_direct { g }', '3:61'],
    ['in a rule', 'protected if input.claims.ref_protected\nmet contains "a" if protected', '3:14'],
    ['that a rule is', 'p := input.claims.ref_protected\nmet contains "a" if p', '4:21'],
    [
      'that a rule is, by its whole path',
      'p := input.claims.ref_protected\nmet contains "a" if data.claimgate.conditions.p',
      '4:21',
    ],
    ['in a function', 'f(x) if x\nmet contains "a" if f(input.claims.ref_protected)', '3:9'],
    ['that a function gives', 'f(x) := x\nmet contains "a" if f(input.claims.ref_protected)', '4:21'],
    ['in other letters', 'met contains "a" if lower(input.claims.ref_protected)', '3:21'],
  ]
  for (const [name, body, place] of cases) {
    test(name, async () => {
      const compiled = await compile(body)

      assert.ok(!compiled.ok, 'It compiled.')
      assert.deepEqual(
        compiled.problems.map(({ code, row, column }) => [code, `${row}:${column}`]),
        [['bare_claim', place]],
      )
      assert.match(compiled.problems[0]?.hint ?? '', /== "true".*is_string/)
    })
  }

  test('in guardrails too', async () => {
    const compiled = await compiler.compile(
      compiler.gatherGuardrails(
        `${HEAD.replace('conditions', 'guardrails')}met contains "a" if input.claims.ref_protected\n`,
      ),
    )

    assert.ok(!compiled.ok)
    assert.deepEqual(
      compiled.problems.map(({ code, file }) => [code, file]),
      [['bare_claim', 'guardrails.rego']],
    )
  })
})

describe('what comes to true or false may stand alone', () => {
  for (const body of [
    'met contains "a" if is_string(input.claims.environment)',
    'p if input.claims.ref_protected == "true"\nmet contains "a" if p',
    'p := input.claims.ref_protected == "true"\nmet contains "a" if p',
    'met contains "a" if {\n\tx := input.claims.ref == "main"\n\tx\n}',
    'f(x) if x == "main"\nmet contains "a" if f(input.claims.ref)',
    'refs := {"main"}\nmet contains "a" if refs[input.claims.ref]',
    'met contains "a" if {\n\tsome i\n\tinput.claims.groups_direct[i] == "acme"\n}',
    'met contains "a" if startswith(lower(input.claims.ref), "release/")',
  ]) {
    test(body.replaceAll('\n', ' ⏎ '), async () => {
      const compiled = await compile(body)

      assert.ok(compiled.ok, JSON.stringify(compiled))
    })
  }
})
