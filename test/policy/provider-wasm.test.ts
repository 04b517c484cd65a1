import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Rule } from '../../src/identity/rule.ts'
import { checkVerdict } from '../../src/policy/check-verdict.ts'
import type { PolicyModules } from '../../src/policy/compile-policy.ts'
import { createEvaluator, type Evaluator } from '../../src/policy/evaluate.ts'
import { POLICIES_DIR } from '../../src/policy/prepare-policy.ts'
import type { Verdict } from '../../src/policy/verdict.ts'
import { PROVIDER_TYPES, type ProviderType } from '../../src/provider/providers.ts'
import { binary, inputWith, realCompiler, ruleWith, silent } from './policy-world.ts'

type Case = { readonly rule: string; readonly input: object; readonly unmet: readonly string[] }

for (const provider of PROVIDER_TYPES) {
  describe(`every case that the Rego tests of ${provider} have comes to the same verdict in WASM`, () => {
    const rego = evaluateTests(provider)
    let evaluator: Evaluator

    before(async () => {
      const compiler = await realCompiler()
      const gathered = compiler.gather({ provider, rules: rego.rules })
      const compiled = await compiler.compile(gathered)
      assert.ok(compiled.ok, JSON.stringify(compiled))
      const wasm = new Map([
        ['ours', compiled.wasm],
        ['strangers', buildAsAStranger(gathered)],
      ])
      evaluator = createEvaluator({ loadCode: async (digest) => wasm.get(digest), log: silent })
    })
    after(() => evaluator.close())

    test('there are cases', () => {
      assert.ok(Object.keys(rego.cases).length > 80)
    })

    for (const [note, tried] of Object.entries(rego.cases)) {
      test(note, async () => {
        const inputText = JSON.stringify(tried.input)

        const ours = await evaluator.evaluate('ours', inputText)
        const strangers = await evaluator.evaluate('strangers', inputText)

        assert.ok(ours.ok && strangers.ok, JSON.stringify([ours, strangers]))
        const verdict: Verdict = JSON.parse(ours.verdictText)
        assert.deepEqual(verdict, checkVerdict(rego.verdicts[note]))
        assert.deepEqual(unmetCodes(verdict, tried.rule), tried.unmet)
        assert.equal(strangers.verdictText, ours.verdictText)
      })
    }
  })
}

describe('every ref pattern that the Rego tests have covers the same in WASM', () => {
  const { covered, notCovered } = patternTests()
  const cases = [...covered.map((pair) => [...pair, true]), ...notCovered.map((pair) => [...pair, false])]
  const metByName = new Map<string, readonly boolean[]>()
  let evaluator: Evaluator

  before(async () => {
    const compiler = await realCompiler()
    const rules = cases.map(([pattern], i) =>
      ruleWith({ id: `${i}`, refs: [{ type: 'BRANCH', pattern: String(pattern) }] }),
    )
    const compiled = await compiler.compile(compiler.gather({ provider: 'GITLAB', rules }))
    assert.ok(compiled.ok, JSON.stringify(compiled))
    evaluator = createEvaluator({ loadCode: async () => compiled.wasm, log: silent })
    for (const name of new Set(cases.map((each) => String(each[1])))) {
      const result = await evaluator.evaluate(
        'patterns',
        inputWith({ ref: name, ref_path: `refs/heads/${name}` }),
      )
      assert.ok(result.ok, JSON.stringify(result))
      const verdict: Verdict = JSON.parse(result.verdictText)
      metByName.set(
        name,
        verdict.rules.map(({ conditions }) => conditions.ref?.met === true),
      )
    }
  })
  after(() => evaluator.close())

  test('there are cases', () => {
    assert.ok(covered.length > 80 && notCovered.length > 80)
  })

  for (const [i, [pattern, name, isCovered]] of cases.entries()) {
    test(`${JSON.stringify(pattern)} ${isCovered ? 'covers' : 'does not cover'} ${JSON.stringify(name)}`, () => {
      assert.equal(metByName.get(String(name))?.[i], isCovered)
    })
  }
})

function unmetCodes(verdict: Verdict, id: string): readonly string[] {
  const conditions = verdict.rules.find((rule) => rule.id === id)?.conditions ?? {}
  return Object.keys(conditions).filter((code) => conditions[code]?.met !== true)
}

/** The rules, cases and verdicts of a provider's Rego tests, as OPA's own evaluator has them. */
function evaluateTests(provider: ProviderType): {
  readonly rules: readonly Rule[]
  readonly cases: Readonly<Record<string, Case>>
  readonly verdicts: Readonly<Record<string, unknown>>
} {
  const read = `data.claimgate.provider.${provider.toLowerCase()}_test`
  return evaluateRego(
    `{"rules": ${read}.rules, "cases": ${read}.cases, "verdicts": ${read}.verdicts_on_all_rules}`,
  )
}

type PatternAndName = readonly [pattern: string, name: string]

/** Of the literals, which are many, only between stars, where a regular expression has them. */
function patternTests(): {
  readonly covered: readonly PatternAndName[]
  readonly notCovered: readonly PatternAndName[]
} {
  type Table = { covered: PatternAndName[]; not_covered: PatternAndName[]; literals: string[] }
  const tablesOf = (name: string) => {
    const read = `data.claimgate.${name}_test`
    return evaluateRego<Table>(
      `{"covered": ${read}.covered, "not_covered": ${read}.not_covered, "literals": ${read}.literals}`,
    )
  }
  const [refs, stars] = [tablesOf('refs'), tablesOf('stars')]
  return {
    covered: [
      ...refs.covered,
      ...stars.covered,
      ...stars.literals.map((text): PatternAndName => [`*${text}*`, `x${text}y`]),
    ],
    notCovered: [
      ...refs.not_covered,
      ...stars.not_covered,
      ...stars.literals.map((text): PatternAndName => [`*${text}*`, `x${text.replaceAll('1', '2')}y`]),
    ],
  }
}

function evaluateRego<Value>(query: string): Value {
  const args = ['eval', '--format=raw', `--data=${POLICIES_DIR}/claimgate`, query]
  return JSON.parse(execFileSync(binary, args, { encoding: 'utf8', maxBuffer: 2 ** 26 }))
}

/** Writes the modules into a folder and builds that with stock options, as anybody can who reads the policy. */
function buildAsAStranger({ modules, entrypoint }: PolicyModules): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'claimgate-test-'))
  try {
    for (const { path, source } of modules) {
      mkdirSync(dirname(join(folder, 'policy', path)), { recursive: true })
      writeFileSync(join(folder, 'policy', path), source)
    }
    execFileSync(binary, ['build', '-t', 'wasm', '-e', entrypoint, '-o', 'bundle.tar.gz', 'policy'], {
      cwd: folder,
    })
    execFileSync('tar', ['-xzf', 'bundle.tar.gz', '/policy.wasm'], { cwd: folder, stdio: 'ignore' })
    return readFileSync(join(folder, 'policy.wasm'))
  } finally {
    rmSync(folder, { recursive: true })
  }
}
