import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { RequestError } from '../../src/errors.ts'
import type { Rule } from '../../src/identity/rule.ts'
import type { PolicyCompiler } from '../../src/policy/compile-policy.ts'
import { createPreparePolicy, type PolicySource } from '../../src/policy/prepare-policy.ts'
import { sampleClaims } from '../../src/policy/sample-claims.ts'
import { createSmokeRunner } from '../../src/policy/smoke-run.ts'
import { PROVIDERS } from '../../src/provider/providers.ts'
import { realCompiler, ruleWith, wasmOf } from './policy-world.ts'

const compiler = await realCompiler()
const smokeRunner = createSmokeRunner()
const smokeRun = smokeRunner.run
after(() => smokeRunner.close())
const prepare = createPreparePolicy({ compiler, policies: { has: async () => false }, smokeRun })
const source = (...rules: readonly Rule[]): PolicySource => ({ providerType: 'GITLAB', rules })

test('a policy is ready to be stored under its digest', async () => {
  const { digest, policy } = await prepare(source(ruleWith()))

  assert.equal(policy?.digest, digest)
  assert.equal(policy.entrypoint, 'claimgate/verdict')
  assert.match(policy.compiler, /^opa 1\./)
  assert.ok(policy.wasm.byteLength > 10_000)
  assert.ok(policy.modules.some(({ path }) => path === 'rules.rego'))
})

test('one that is stored already is not compiled again', async () => {
  const refusing: PolicyCompiler = {
    ...compiler,
    compile: () => assert.fail('It was compiled.'),
  }
  const asked: string[] = []
  const has = async (digest: string) => asked.push(digest) > 0

  const prepared = await createPreparePolicy({ compiler: refusing, policies: { has }, smokeRun })(
    source(ruleWith()),
  )

  assert.deepEqual(prepared, { digest: asked[0] })
})

test('one that was prepared a moment ago and not stored is not compiled again', async () => {
  let compilations = 0
  const counting: PolicyCompiler = {
    ...compiler,
    compile(policy) {
      compilations++
      return compiler.compile(policy)
    },
  }
  const prepareCounted = createPreparePolicy({
    compiler: counting,
    policies: { has: async () => false },
    smokeRun,
  })

  const first = await prepareCounted(source(ruleWith()))
  const second = await prepareCounted(source(ruleWith()))
  await prepareCounted(source(ruleWith({ id: 'other' })))

  assert.deepEqual(second, first)
  assert.equal(compilations, 2)
})

describe('a sample of what a rule admits is admitted', () => {
  const rules: readonly Rule[] = [
    ruleWith(),
    ruleWith({ project: '' }),
    ruleWith({ project: 'sub/app', group: 'a/b' }),
    ruleWith({ refs: [], protectedRefsOnly: false, mergeRequests: 'SAME_PROJECT' }),
    ruleWith({ refs: [{ type: 'TAG', pattern: 'v*.*/**' }] }),
    ruleWith({ pipelineSources: ['parent_pipeline'] }),
    ruleWith({ ids: { projectIds: ['7', '8'], namespaceIds: ['9'] } }),
    ruleWith({
      claims: { environment: ['production'], runner_environment: ['gitlab-hosted', 'self-hosted'] },
    }),
  ]
  for (const [index, rule] of rules.entries()) {
    test(`${index}`, async () => {
      assert.equal(sampleClaims(rule, PROVIDERS.GITLAB).admitted, true)
      assert.ok((await prepare(source(rule))).policy)
    })
  }

  const github: readonly Partial<Rule>[] = [
    {},
    { project: '', refs: [], protectedRefsOnly: false },
    { refs: [{ type: 'TAG', pattern: 'v*.*/**' }], pipelineSources: ['release'] },
    { ids: { projectIds: ['7'], namespaceIds: ['9'] }, project: '' },
    { claims: { environment: ['production'], base_ref: [''], repo_property_tier: ['1'] } },
  ]
  for (const [index, changes] of github.entries()) {
    test(`${index} of GitHub`, async () => {
      const rule = ruleWith({ pipelineSources: ['push', 'schedule'], ...changes })

      assert.equal(sampleClaims(rule, PROVIDERS.GITHUB).admitted, true)
      assert.ok((await prepare({ providerType: 'GITHUB', rules: [rule] })).policy)
    })
  }

  test('a rule that asks for other values of what its conditions read is not held to one', async () => {
    const rule = ruleWith({
      refs: [],
      mergeRequests: 'SAME_PROJECT',
      claims: { pipeline_source: ['merge_request_event'] },
    })
    const never = ruleWith({ claims: { ref: ['develop'] } })

    assert.equal(sampleClaims(rule, PROVIDERS.GITLAB).admitted, false)
    assert.ok((await prepare(source(rule, never))).policy)
  })
})

describe('a policy that does not stand the trial is refused with its problem', () => {
  const verdict = (allow: string) =>
    `verdict := {"allow": ${allow}, "rules": [], "conditions": [], "roles": []}`
  const cases: readonly [name: string, rego: string, code: string][] = [
    ['it denies what its rule admits', verdict('false'), 'sample_denied'],
    ['it answers no verdict', 'verdict := {"allow": true}', 'policy_error'],
    [
      'it uses up its memory',
      verdict('count([[x, y] | some x in numbers.range(1, 9999); some y in numbers.range(1, 9999)]) == 1'),
      'policy_memory',
    ],
    [
      'it allows a token without claims',
      'verdict := {"allow": true, "rules": [{"id": "a", "title": "", "met": true, "conditions": {"group": {"claim": "", "expected": "", "actual": null, "met": true}}}], "conditions": [], "roles": []}',
      'sample_allowed',
    ],
  ]
  for (const [name, rego, code] of cases) {
    test(name, async () => {
      const wasm = await wasmOf(`package claimgate\n\n${rego}`)
      const other = { ...compiler, compile: async () => ({ ok: true as const, wasm, requirements: [] }) }
      const prepareOther = createPreparePolicy({
        compiler: other,
        policies: { has: async () => false },
        smokeRun,
      })

      const refused = await prepareOther(source(ruleWith())).catch((error: unknown) => error)

      assert.ok(refused instanceof RequestError)
      assert.equal(refused.code, 'invalid_argument')
      const [{ problems }] = refused.details as [{ problems: readonly { code: string; file: string }[] }]
      assert.equal(problems[0]?.code, code)
      assert.equal(problems[0]?.file, 'rules.rego')
    })
  }

  test('its constants need more memory than any policy begins with', async () => {
    const wasm = Uint8Array.of(...WASM_HEAD, ...importOfMemory(17))
    const other = { ...compiler, compile: async () => ({ ok: true as const, wasm, requirements: [] }) }
    const prepareOther = createPreparePolicy({
      compiler: other,
      policies: { has: async () => false },
      smokeRun,
    })

    await assert.rejects(prepareOther(source(ruleWith())), {
      message:
        /^workloadIdentityConfig\.rules do not make a policy: rules\.rego:1:1: The policy's constants need more memory than a policy begins with \(1024 KiB\)\. Compare with fewer/,
    })
  })
})

/** How every module begins: its name and version 1. */
const WASM_HEAD = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]

/** WebAssembly's section of imports with `env.memory` alone, of at least so many pages, which are fewer than 128. */
function importOfMemory(pages: number): readonly number[] {
  const named = (name: string) => [name.length, ...Buffer.from(name)]
  const content = [1, ...named('env'), ...named('memory'), 2, 0, pages]
  return [2, content.length, ...content]
}
