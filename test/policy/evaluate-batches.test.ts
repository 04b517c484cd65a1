import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { createBatchEvaluator } from '../../src/policy/evaluate-batches.ts'
import { inputWith, realCompiler, ruleWith, wasmOf } from './policy-world.ts'

/** Says no to all, but for what these claims set off. */
const ODD = `package claimgate

r := numbers.range(1, 4000)

default late := false

late if {
	input.claims.odd == "endless"
	count([x | some x in r; some y in r; some z in r; x > y; y > z; z > x]) > 0
}

verdict := {"allow": late, "rules": [], "conditions": [], "roles": []} if not input.claims.odd == "shape"

verdict := "no verdict" if input.claims.odd == "shape"`

describe('batches of evaluations', () => {
  const policies = new Map<string, Uint8Array>()
  const evaluator = (workers = 2, maxPolicies = 10, isBackground = false) =>
    createBatchEvaluator({
      isBackground,
      loadCode: async (digest) => policies.get(digest),
      workers,
      deadlineMs: 100,
      maxPolicies,
    })

  before(async () => {
    const compiler = await realCompiler()
    for (const project of ['app', 'web', 'api']) {
      const compiled = await compiler.compile(
        compiler.gather({ provider: 'GITLAB', rules: [ruleWith({ project })] }),
      )
      assert.ok(compiled.ok)
      policies.set(project, compiled.wasm)
    }
    policies.set('odd', await wasmOf(ODD))
  })

  test('are answered in order, over many chunks and threads', async () => {
    await using stack = new AsyncDisposableStack()
    const batches = evaluator()
    stack.defer(() => batches.close())
    const refOf = (n: number) => (n % 3 === 0 ? 'main' : `b${n}`)
    const inputs = Array.from({ length: 1_111 }, (_, n) =>
      inputWith({ ref: refOf(n), ref_path: `refs/heads/${refOf(n)}` }),
    )

    const results = await batches.evaluate({ digest: 'app', guardrailsDigest: undefined }, inputs)

    assert.equal(results.length, inputs.length)
    for (const [n, result] of results.entries()) {
      assert.ok(result.ok)
      assert.equal(result.allow, n % 3 === 0)
      assert.ok(result.verdictText.includes(`"actual":"refs/heads/${refOf(n)}"`), result.verdictText)
    }
  })

  test('of several policies at once are each answered by their own, also beyond what is kept loaded', async () => {
    await using stack = new AsyncDisposableStack()
    const batches = evaluator(1, 1)
    stack.defer(() => batches.close())
    const projects = ['app', 'web', 'api', 'app', 'web', 'api']

    const answers = await Promise.all(
      projects.map((project) =>
        batches.evaluate({ digest: project, guardrailsDigest: undefined }, [
          inputWith({ project_path: 'acme/web', ref_path: 'refs/heads/main' }),
          inputWith({ project_path: 'acme/api' }),
        ]),
      ),
    )

    assert.deepEqual(
      answers.map((results) => results.map((result) => result.ok && result.allow)),
      projects.map((project) => [project === 'web', project === 'api']),
    )
  })

  for (const isBackground of [false, true])
    test(`answer one that had to be ${isBackground ? 'interrupted' : 'stopped'} by itself, and all others`, async () => {
      await using stack = new AsyncDisposableStack()
      const batches = evaluator(2, 10, isBackground)
      stack.defer(() => batches.close())
      const odd = new Map([
        [3, 'endless'],
        [40, 'shape'],
        [300, 'endless'],
      ])
      const inputs = Array.from({ length: 500 }, (_, n) => inputWith(odd.has(n) ? { odd: odd.get(n) } : {}))

      const results = await batches.evaluate({ digest: 'odd', guardrailsDigest: undefined }, inputs)

      for (const [n, result] of results.entries()) {
        const expected = odd.has(n) ? (odd.get(n) === 'shape' ? 'policy_error' : 'policy_timeout') : 'denied'
        assert.equal(result.ok ? 'denied' : result.reason, expected, `input ${n}`)
        if (!result.ok && result.reason === 'policy_timeout')
          assert.match(result.cause, isBackground ? /interrupted/ : /took more/)
      }
    })

  test('of a policy that is not there fail one by one, and no others', async () => {
    await using stack = new AsyncDisposableStack()
    const batches = evaluator()
    stack.defer(() => batches.close())

    const [missing, there] = await Promise.all([
      batches.evaluate({ digest: 'none', guardrailsDigest: undefined }, [inputWith(), inputWith()]),
      batches.evaluate({ digest: 'app', guardrailsDigest: undefined }, [inputWith()]),
    ])

    assert.deepEqual(
      missing.map((result) => !result.ok && result.reason),
      ['policy_error', 'policy_error'],
    )
    assert.equal(there[0]?.ok && there[0].allow, true)
  })

  test('are given up at once when it is closed, whatever they are at', async () => {
    const batches = evaluator(1)
    const waiting = batches.evaluate(
      { digest: 'odd', guardrailsDigest: undefined },
      Array.from({ length: 600 }, () => inputWith({ odd: 'endless' })),
    )
    const rejected = assert.rejects(waiting, /given up/)

    await batches.close()

    await rejected
    await assert.rejects(
      batches.evaluate({ digest: 'app', guardrailsDigest: undefined }, [inputWith()]),
      /given up/,
    )
  })
})
