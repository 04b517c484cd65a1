import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createPolicyCompiler } from '../../src/policy/compile-policy.ts'
import { POLICIES_DIR } from '../../src/policy/prepare-policy.ts'
import { realCompiler } from './policy-world.ts'

const HEAD = 'package claimgate.guardrails\n\nrequired := {"a": "A must hold."}\n\nmet contains "a" if '
const LONG = 'a'.repeat(100_000)

/** Whose command line cannot be started. */
function withoutOpa() {
  const start = () => assert.fail('OPA was started.')
  const opa = { version: async () => '1.22.2', parse: start, check: start, build: start }
  return createPolicyCompiler({ opa, policiesDir: POLICIES_DIR })
}

const TOO_INTRICATE: Readonly<Record<string, string>> = {
  'a long chain of operators': `input.time == 1${' + 1'.repeat(1_000)}`,
  'one over many lines, with the operators at their ends': `input.time == 1${' +\n1'.repeat(1_000)}`,
  'one over many lines, with the operators before them': `input.time == 1${'\n+ 1'.repeat(1_000)}`,
  'a chain of comparisons': `1${' == 1'.repeat(1_000)}`,
  'a chain of memberships': `1${' in [1]'.repeat(1_000)}`,
  'a chain of unions': `{1} == {1}${' | {1}'.repeat(1_000)}`,
  'many chains of some length': Array(2_000)
    .fill(`input.time == 1${' + 1'.repeat(20)}`)
    .join('\n\nmet contains "a" if '),
  'a long text among operators': `input.provider == "${LONG}"${' + 1'.repeat(30)}`,
  'a long raw text among operators': `input.provider == \`${LONG}\`${' + 1'.repeat(30)}`,
  'a long raw text of many lines in brackets': `x == ${'['.repeat(40)}\`${'a\n'.repeat(50_000)}\`${']'.repeat(40)}`,
  'many brackets, none too deep': Array(1_000)
    .fill(`x == ${'['.repeat(40)}${']'.repeat(40)}`)
    .join('\n\nmet contains "a" if '),
  'long text in templates in one another': `x == ${'$`{'.repeat(20)}"${LONG}"${'}`'.repeat(20)}`,
  'long text in templates of quotes': `x == ${'$"{'.repeat(20)}1${'}"'.repeat(20)} == "${LONG}"`,
}

describe('without OPA being started is refused', () => {
  for (const [name, body] of Object.entries(TOO_INTRICATE)) {
    test(name, async () => {
      const compiler = await withoutOpa()

      const compiled = await compiler.compile(compiler.gatherGuardrails(`${HEAD}${body}\n`))

      assert.ok(!compiled.ok)
      const [problem, ...others] = compiled.problems
      assert.deepEqual(others, [])
      assert.equal(problem?.code, 'too_intricate')
      assert.equal(problem?.file, 'guardrails.rego')
      assert.ok((problem?.row ?? 0) >= 5)
      assert.match(problem?.hint ?? '', /^Split long expressions/)
    })
  }
})

describe('what people write is compiled, be it long', () => {
  const values = (count: number) => Array.from({ length: count }, (_, index) => `"group/project-${index}"`)
  const LEGAL: Readonly<Record<string, string>> = {
    'a set of 2,000 projects': `input.claims.project_path in {\n\t${values(2_000).join(',\n\t')},\n}`,
    'two hundred conditions of their own': values(200)
      .map((value) => `input.claims.project_path == ${value}`)
      .join('\n\nmet contains "a" if '),
    'an expression of thirty operators': `input.time > 1${' + 1'.repeat(30)}`,
    'a long text compared': `input.claims.ref == "${LONG}"`,
    'a body of fifty lines, each an expression': `{\n${'\tinput.claims.ref == "main"\n'.repeat(50)}}`,
  }
  for (const [name, body] of Object.entries(LEGAL)) {
    test(name, async () => {
      const compiler = await realCompiler()

      const compiled = await compiler.compile(compiler.gatherGuardrails(`${HEAD}${body}\n`))

      assert.ok(compiled.ok, JSON.stringify(compiled).slice(0, 2_000))
    })
  }
})
