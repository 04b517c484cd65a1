import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { realCompiler, ruleWith } from './policy-world.ts'

const compiler = await realCompiler()
const HEAD = 'package claimgate.conditions\nrequired := {"a": "A must hold."}\n'

describe('a mistake is one problem, which says what was probably meant', () => {
  const cases: readonly [body: string, hint: RegExp, message?: RegExp][] = [
    ['met contains "a" if input.environment == "x"', /^Did you mean input\.claims\.environment\?$/],
    ['met contains "a" if input.enviroment == "x"', /^Did you mean input\.claims\.environment\?$/],
    ['met contains "a" if input.cliams.ref == "x"', /^Did you mean input\.claims\.ref\?$/],
    ['met contains "a" if input.claim.ref == "x"', /^Did you mean input\.claims\.ref\?$/],
    ['met contains "a" if input.tokens.ref == "x"', /read as input\.claims\.NAME/],
    ['met contains "a" if input.claims.enviroment == "x"', /^Did you mean environment\?$/],
    ['met contains "a" if input.claims.foo.bar == "x"', /no such claim/],
    ['met contains "a" if input.claims.ref.name == "x"', /no parts/],
    ['met contains "a" if claims.ref == "x"', /input\.claims\.NAME/],
    ['met contains "a" if ref == "x"', /^Did you mean input\.claims\.ref\?$/],
    ['met contains "a" if re_match("x", input.claims.ref)', /regex\.match, with \^ .* and \$/],
    [
      'met contains "a" if input.claims.ref == "x" or input.claims.ref == "y"',
      /any of several rules .* same code meets it/,
    ],
    [
      'met contains "a" if { input.claims.ref == "x" or input.claims.ref == "y" }',
      /any of several rules .* same code meets it/,
      /^[^`]*$/,
    ],
    [
      'met contains "a" if {\n\tinput.claims.ref == "x"\n\tor input.claims.ref == "y"\n}',
      /any of several rules .* same code meets it/,
    ],
    ['met contains "a" if input.claims.ref == "x" && input.claims.ref == "y"', /on a line each/],
    ['met["a"] if input.claims.ref == "x"', /^Write: met contains/],
    ['met if input.claims.ref == "x"', /^Write: met contains/],
    ['met "a" if input.claims.ref == "x"', /met contains "CODE" if/],
    ['met contains "a" if http.send({}).x', /no clock, network/, /^Policies may not use http\.send\.$/],
    ['met contains "a" if sprintf("%s", [1]) == "x"', /concat/, /^Policies may not use sprintf\.$/],
    ['met contains "a" if { print("x") }', /codes and messages/, /^Policies may not use print\.$/],
    [
      'met contains "a" if urlquery.encode(input.claims.ref) == "x"',
      /capabilities\.json/,
      /^Policies may not use urlquery\.encode\.$/,
    ],
    [
      'met contains "a" if object.gett(input.claims, "ref") == "x"',
      /capabilities\.json/,
      /^undefined function object\.gett$/,
    ],
  ]
  for (const [body, hint, message] of cases) {
    test(body.replaceAll('\n', ' ⏎ '), async () => {
      const conditions = `${HEAD}${body}\n`
      const compiled = await compiler.compile(
        compiler.gather({ provider: 'GITLAB', rules: [ruleWith()], conditions }),
      )

      assert.ok(!compiled.ok, 'It compiled.')
      const [problem, ...others] = compiled.problems
      assert.deepEqual(others, [])
      assert.match(problem?.hint ?? '', hint)
      if (message !== undefined) assert.match(problem?.message ?? '', message)
    })
  }
})
