import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { after, before, describe, test } from 'node:test'
import type { AccessVerdict } from '../../src/policy/access-verdict.ts'
import { checkAccessVerdict } from '../../src/policy/check-access-verdict.ts'
import { createEvaluator, type Evaluator } from '../../src/policy/evaluate.ts'
import { POLICIES_DIR } from '../../src/policy/prepare-policy.ts'
import { binary, realCompiler, silent, wasmOf } from './policy-world.ts'

type Case = { readonly input: object; readonly allow: boolean; readonly reason: string }

const BASE = `${POLICIES_DIR}/claimgate`
const ENTRYPOINT = 'claimgate/access/verdict'

const grant = '{"role": "roles/a", "from": "member", "rule": "", "on": "projects/a"}'
const missing = '{"on": "projects/a", "roles": [], "grants": []}'

/** What no verdict is. */
const ODD: Readonly<Record<string, string>> = {
  'allows without a grant': `{"allow": true, "reason": "allowed", "grants": [], "missing": ${missing}}`,
  'denies with one': `{"allow": false, "reason": "role_missing", "grants": [${grant}], "missing": ${missing}}`,
  'allows for a reason to deny': `{"allow": true, "reason": "role_missing", "grants": [${grant}], "missing": ${missing}}`,
  'denies for the reason to allow': `{"allow": false, "reason": "allowed", "grants": [], "missing": ${missing}}`,
  'has a reason of its own': `{"allow": false, "reason": "no", "grants": [], "missing": ${missing}}`,
  'says more': `{"allow": true, "reason": "allowed", "grants": [${grant}], "missing": ${missing}, "roles": []}`,
  'leaves something out': `{"allow": true, "reason": "allowed", "grants": [${grant}]}`,
  'allows in words': `{"allow": "true", "reason": "allowed", "grants": [${grant}], "missing": ${missing}}`,
  'misses something and allows': `{"allow": true, "reason": "allowed", "grants": [${grant}], "missing": {"on": "projects/a", "roles": ["roles/a"], "grants": []}}`,
  'has grants from elsewhere': `{"allow": true, "reason": "allowed", "grants": [{"role": "roles/a", "from": "heaven", "rule": "", "on": "projects/a"}], "missing": ${missing}}`,
  'says nothing': '{"allow": true} if input.no',
  "is an identity's": '{"allow": true, "rules": [], "conditions": [], "roles": []}',
}

describe('the policy of access decisions', () => {
  const { cases, verdicts } = readTests()
  let evaluator: Evaluator

  before(async () => {
    const compiler = await realCompiler()
    const compiled = await compiler.compile(compiler.gatherAccess())
    assert.ok(compiled.ok, JSON.stringify(compiled))
    const policies = new Map([['access', compiled.wasm]])
    for (const [name, verdict] of Object.entries(ODD)) {
      policies.set(name, await wasmOf(`package claimgate.access\n\nverdict := ${verdict}`, ENTRYPOINT))
    }
    evaluator = createEvaluator({ loadCode: async (digest) => policies.get(digest), log: silent, workers: 1 })
  })
  after(() => evaluator?.close())

  test('has cases', () => {
    assert.ok(Object.keys(cases).length > 20)
  })

  for (const [name, { input, allow, reason }] of Object.entries(cases)) {
    test(`says the same in WASM: ${name}`, async () => {
      const result = await evaluator.evaluateAccess('access', JSON.stringify(input))

      assert.ok(result.ok, JSON.stringify(result))
      const verdict: AccessVerdict = JSON.parse(result.verdictText)
      assert.deepEqual(verdict, checkAccessVerdict(verdicts[name]))
      assert.deepEqual([result.allow, result.denial], [allow, allow ? undefined : reason])
      assert.equal(verdict.reason, reason)
    })
  }

  for (const name of Object.keys(ODD)) {
    test(`is not believed where it ${name}`, async () => {
      const result = await evaluator.evaluateAccess(name, JSON.stringify({ subject: {} }))

      assert.deepEqual(result.ok ? result : result.reason, 'policy_error')
    })
  }

  test('says nothing of a resource that it does not know, which is no yes', async () => {
    const [first] = Object.values(cases)
    const input = { ...first?.input, resource: { type: 'server', id: 'default' } }

    const result = await evaluator.evaluateAccess('access', JSON.stringify(input))

    assert.deepEqual(result.ok ? result : result.reason, 'policy_error')
  })

  test('is none that a guardrail or an identity has, and they are none of its', async () => {
    const compiler = await realCompiler()

    const modules = [
      compiler.gather({ provider: 'GITLAB', rules: [] }),
      compiler.gatherGuardrails(''),
    ].flatMap((gathered) => gathered.modules.map(({ path }) => path))

    assert.ok(!modules.includes('claimgate/access.rego'))
    assert.deepEqual(
      compiler.gatherAccess().modules.map(({ path }) => path),
      ['claimgate/access.rego'],
    )
  })
})

/** The cases of the Rego tests with the verdicts that OPA's own evaluator comes to. */
function readTests(): {
  cases: Readonly<Record<string, Case>>
  verdicts: Readonly<Record<string, unknown>>
} {
  const files = ['access.rego', 'access_test.rego'].flatMap((file) => ['--data', `${BASE}/${file}`])
  const output = execFileSync(
    binary,
    [
      'eval',
      '--format=raw',
      ...files,
      '{"cases": data.claimgate.access_test.cases, "verdicts": data.claimgate.access_test.verdicts}',
    ],
    { encoding: 'utf8', maxBuffer: 2 ** 26 },
  )
  return JSON.parse(output)
}
