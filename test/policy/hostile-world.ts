import assert from 'node:assert/strict'
import { RequestError } from '../../src/errors.ts'
import type { Rule } from '../../src/identity/rule.ts'
import type { JsonObject } from '../../src/json.ts'
import type { PolicyModules } from '../../src/policy/compile-policy.ts'
import { createEvaluator } from '../../src/policy/evaluate.ts'
import { createPreparePolicy } from '../../src/policy/prepare-policy.ts'
import type { SmokeRun } from '../../src/policy/smoke-run.ts'
import type { ProviderType } from '../../src/provider/providers.ts'
import { inputWith, realCompiler, silent } from './policy-world.ts'

const compiler = await realCompiler()

/** Holds a policy of the rules against what says a second time what they admit; answers how often one was admitted. */
export async function assertSaidTwice(
  provider: ProviderType,
  rules: readonly Rule[],
  samples: readonly JsonObject[],
  admits: (rule: Rule, claims: JsonObject) => boolean,
): Promise<number> {
  const compiled = await compiler.compile(compiler.gather({ provider, rules }))
  assert.ok(compiled.ok, JSON.stringify(compiled))
  const evaluator = createEvaluator({ loadCode: async () => compiled.wasm, log: silent })
  let admitted = 0
  try {
    for (const claims of samples) {
      const input = JSON.stringify({ ...JSON.parse(inputWith()), provider, claims })
      const result = await evaluator.evaluate('rules', input)
      assert.ok(result.ok, JSON.stringify(result))
      const expected = rules.filter((rule) => admits(rule, claims)).map(({ id }) => id)
      assert.deepEqual([...result.ruleIds].sort(), expected.sort(), JSON.stringify(claims))
      admitted += expected.length
    }
  } finally {
    await evaluator.close()
  }
  return admitted
}

/** What preparing the policy of these rules says, its Rego changed before it is compiled. */
export async function problemsOf(
  smokeRun: SmokeRun,
  providerType: ProviderType,
  rules: readonly Rule[],
  change: (source: string) => string = (source) => source,
): Promise<{ changed: number; codes: readonly string[]; messages: readonly string[] }> {
  let changed = 0
  const compile = (policy: PolicyModules) => {
    const modules = policy.modules.map((module) => {
      const source = change(module.source)
      changed += source === module.source ? 0 : 1
      return { ...module, source }
    })
    return compiler.compile({ ...policy, modules })
  }
  const prepare = createPreparePolicy({
    compiler: { ...compiler, compile },
    policies: { has: async () => false },
    smokeRun,
  })
  const refused = await prepare({ providerType, rules }).then(
    () => undefined,
    (error: unknown) => error,
  )
  if (refused === undefined) return { changed, codes: [], messages: [] }
  assert.ok(refused instanceof RequestError, String(refused))
  const [{ problems }] = refused.details as [{ problems: readonly { code: string; message: string }[] }]
  return {
    changed,
    codes: problems.map(({ code }) => code),
    messages: problems.map(({ message }) => message),
  }
}
