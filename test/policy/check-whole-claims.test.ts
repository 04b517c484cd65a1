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
const PROTECTED = 'input.claims.ref_protected == "true"'

describe('all claims at once are a problem where a condition could hold as one of them is absent', () => {
  const cases: readonly [name: string, body: string, place: string][] = [
    [
      'in a set of their names',
      `met contains "a" if {\n\t${PROTECTED}\n\tcount({"environment"} & object.keys(input.claims)) == 0\n}`,
      '5:26',
    ],
    [
      'in what is taken off',
      `met contains "a" if {\n\t${PROTECTED}\n\t{"environment"} - object.keys(input.claims) == {"environment"}\n}`,
      '5:20',
    ],
    [
      'in their text',
      'met contains "a" if indexof(json.marshal(input.claims), "\\"environment\\":\\"dev\\"") == -1',
      '3:29',
    ],
    [
      'in another text',
      'met contains "a" if count(split(yaml.marshal(input.claims), "production")) == 1',
      '3:33',
    ],
    ['in the text of the input', 'met contains "a" if indexof(json.marshal(input), "dev") == -1', '3:29'],
    ['in their number', 'met contains "a" if count(input.claims) == 20', '3:21'],
    [
      'in whether they have a value',
      'met contains "a" if {\n\tx := "dev" in input.claims\n\tx == false\n}',
      '4:7',
    ],
    [
      'under another name',
      'met contains "a" if {\n\tc := input.claims\n\tx := "environment" in object.keys(c)\n\tx == false\n}',
      '5:24',
    ],
    [
      'as the argument of a function',
      'lacks(c, name) if count({name} & object.keys(c)) == 0\nmet contains "a" if lacks(input.claims, "environment")',
      '3:34',
    ],
    [
      'gone through by every',
      'met contains "a" if every k, _ in input.claims { startswith(k, "environment") == false }',
      '3:21',
    ],
  ]
  for (const [name, body, place] of cases) {
    test(name, async () => {
      const compiled = await compile(body)

      assert.ok(!compiled.ok, 'It compiled.')
      const found = compiled.problems.filter(({ code }) => code === 'all_claims')
      assert.deepEqual(
        found.map(({ row, column }) => `${row}:${column}`),
        [place],
        JSON.stringify(compiled.problems),
      )
      assert.match(found[0]?.hint ?? '', /input\.claims\.NAME/)
    })
  }
})

describe('all claims at once are none', () => {
  for (const body of [
    'met contains "a" if {\n\tc := input.claims\n\tc.ref == "main"\n}',
    'met contains "a" if is_object(input.claims)',
    'on_main(c) if c.ref == "main"\nmet contains "a" if on_main(input.claims)',
    'met contains "a" if {\n\tsome name, value in input.claims\n\tname == "ref"\n\tvalue == "main"\n}',
    'met contains "a" if input.claims[_] == "production"',
    'met contains "a" if count(input.claims.ref) == 4',
  ]) {
    test(body.replaceAll('\n', ' ⏎ '), async () => {
      const compiled = await compile(body)

      assert.ok(compiled.ok, JSON.stringify(compiled))
    })
  }
})

test('more than five templates in one another are a problem, five are not', async () => {
  const nested = (depth: number) => {
    let text = '"main"'
    for (let n = 0; n < depth; n++) text = `$"{${text}}"`
    return compile(`met contains "a" if input.claims.ref == ${text}`)
  }

  const [five, six, forty] = await Promise.all([nested(5), nested(6), nested(40)])

  assert.ok(five.ok, JSON.stringify(five))
  for (const deep of [six, forty]) {
    assert.deepEqual(!deep.ok && deep.problems.map(({ code }) => code), ['nested_too_deeply'])
  }
})
