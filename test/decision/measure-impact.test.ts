import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { createDecisionIds } from '../../src/decision/decision-id.ts'
import type { DecisionQuery, ReplayableDecision } from '../../src/decision/decision-store.ts'
import { MAX_SHOWN, measureImpact } from '../../src/decision/measure-impact.ts'
import { createBatchEvaluator } from '../../src/policy/evaluate-batches.ts'
import { claims, realCompiler, ruleWith, wasmOf } from '../policy/policy-world.ts'

const NOW = Date.UTC(2026, 10, 24, 12)
const DENIED = '{"allow":false,"rules":[],"conditions":[],"guardrails":[],"roles":[]}'
/** Never ends for branches but main. */
const ENDLESS = `package claimgate

r := numbers.range(1, 4000)

default late := false

late if {
	input.claims.ref != "main"
	count([x | some x in r; some y in r; some z in r; x > y; y > z; z > x]) > 0
}

verdict := {"allow": late, "rules": [], "conditions": [], "roles": []}`

describe('the impact of a policy', () => {
  const policies = new Map<string, Uint8Array>()

  before(async () => {
    const compiler = await realCompiler()
    const compiled = await compiler.compile(compiler.gather({ provider: 'GITLAB', rules: [ruleWith()] }))
    assert.ok(compiled.ok)
    policies.set('allowing', compiled.wasm)
    policies.set('endless', await wasmOf(ENDLESS))
  })

  async function measure(
    recorded: readonly ReplayableDecision[],
    digest: string,
    options: { signal?: AbortSignal; onPage?: (query: DecisionQuery) => void } = {},
  ) {
    const { signal = new AbortController().signal, onPage } = options
    const evaluator = createBatchEvaluator({
      loadCode: async (asked) => policies.get(asked),
      workers: 1,
      deadlineMs: 100,
      maxPolicies: 1,
      isBackground: true,
    })
    signal.addEventListener('abort', () => void evaluator.close())
    try {
      return await measureImpact(
        {
          evaluate: evaluator.evaluate,
          findProvider: async () => 'GITLAB',
          decisions: {
            async listReplayable(query) {
              onPage?.(query)
              const from = recorded.findIndex(({ id }) => query.before === undefined || id < query.before)
              return from === -1 ? [] : recorded.slice(from, from + query.limit)
            },
          },
        },
        {
          filter: {},
          policies: { digest, guardrailsDigest: undefined },
          join: (_, drafted) => drafted,
          signal,
        },
      )
    } finally {
      await evaluator.close()
    }
  }

  test('counts all, over many pages, and shows the newest of them', async () => {
    const recorded = decisions(1_234, () => 'main')

    const impact = await measure(recorded, 'allowing')

    assert.deepEqual(
      [impact.replayed, impact.newlyAllowed.count, impact.unchanged, impact.isComplete],
      [1_234, 1_234, 0, true],
    )
    assert.deepEqual(
      impact.newlyAllowed.decisions.map(({ decision }) => decision.id),
      recorded.slice(0, MAX_SHOWN).map(({ id }) => id),
    )
    assert.equal(impact.oldestId, recorded.at(-1)?.id)
  })

  test('counts what has to be stopped as errors, and goes on', async () => {
    const impact = await measure(
      decisions(20, (n) => (n % 10 === 3 ? 'main-2' : 'main')),
      'endless',
    )

    assert.deepEqual([impact.replayed, impact.errors.count, impact.unchanged], [20, 2, 18])
    assert.deepEqual(
      impact.errors.decisions.map(({ cause, verdict }) => [cause, verdict]),
      [
        ['policy_timeout', null],
        ['policy_timeout', null],
      ],
    )
  })

  test('ends when it is told to, with what was found of whole pages', async () => {
    const controller = new AbortController()
    let pages = 0

    const impact = await measure(
      decisions(5_000, () => 'main'),
      'allowing',
      {
        signal: controller.signal,
        onPage() {
          pages++
          if (pages === 4) controller.abort()
        },
      },
    )

    assert.equal(impact.isComplete, false)
    assert.equal(impact.replayed, impact.newlyAllowed.count)
    assert.ok(impact.replayed < 5_000 && impact.replayed % 250 === 0, String(impact.replayed))
    assert.ok(pages <= 5)
  })

  test('ends at once when a policy does not', async () => {
    const controller = new AbortController()
    const measuring = measure(
      decisions(250, () => 'feature'),
      'endless',
      {
        signal: controller.signal,
        onPage: () => setImmediate(() => controller.abort()),
      },
    )

    const impact = await measuring

    assert.deepEqual([impact.replayed, impact.isComplete], [0, false])
  })
})

/** Refused ones, newest first. */
function decisions(count: number, refOf: (n: number) => string): readonly ReplayableDecision[] {
  const newId = createDecisionIds()
  return Array.from({ length: count }, (_, n): ReplayableDecision => {
    const decideTime = NOW - (count - n) * 1_000
    return {
      id: newId(decideTime),
      kind: 'EXCHANGE',
      outcome: 'DENIED',
      reason: 'condition_not_met',
      identity: 'deploy@workload.example.com',
      subject: 'x',
      project: null,
      claims: JSON.stringify({ ...claims, ref: refOf(n), ref_path: `refs/heads/${refOf(n)}` }),
      verdict: DENIED,
      policy_digest: 'recorded',
      guardrails_digest: null,
      decide_time: new Date(decideTime),
    }
  }).toReversed()
}
