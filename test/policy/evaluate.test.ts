import assert from 'node:assert/strict'
import { after, afterEach, before, describe, test } from 'node:test'
import type { Worker } from 'node:worker_threads'
import {
  createEvaluator,
  type EvaluationResult,
  type Evaluator,
  type EvaluatorDeps,
} from '../../src/policy/evaluate.ts'
import type { Verdict } from '../../src/policy/verdict.ts'
import { inputWith, realCompiler, ruleWith, silent, wasmOf } from './policy-world.ts'

const verdict = (allow: string) =>
  `package claimgate\n\nverdict := {"allow": ${allow}, "rules": [], "conditions": [], "roles": []}`
/** Ten thousand million steps that take no memory. */
const NEVER = 'count([x | some x in r; some y in r; some z in r; x > y; y > z; z > x]) > 0'
const policies = new Map<string, Uint8Array>()
const started: Evaluator[] = []
const bomb = (when: string) =>
  `package claimgate\n\nr := numbers.range(1, 4000)\n\ndefault late := false\n\nlate if {\n\t${when}\n\t${NEVER}\n}\n\nverdict := {"allow": late, "rules": [], "conditions": [], "roles": []}`

before(async () => {
  const compiler = await realCompiler()
  const real = await compiler.compile(compiler.gather({ provider: 'GITLAB', rules: [ruleWith()] }))
  assert.ok(real.ok)
  policies.set('real', real.wasm)
  const sources: Record<string, string> = {
    denies: verdict('false'),
    bomb: bomb('true'),
    'bomb by claim': bomb('input.claims.ref == "bomb"'),
    memory: verdict(
      'count([[x, y] | some x in numbers.range(1, 9999); some y in numbers.range(1, 9999)]) == 1',
    ),
    'large constants': verdict(
      `input.claims.ref in {${Array.from({ length: 2 }, (_, n) => `"${String(n).padEnd(120_000, 'x')}"`)}}`,
    ),
    grows: verdict('count([x | some x in numbers.range(1, 60000)]) == 1'),
    conflict:
      'package claimgate\n\nx := 1 if input.claims\n\nx := 2 if input.claims.ref == "throw"\n\nverdict := {"allow": x == 3, "rules": [], "conditions": [], "roles": []}',
    undefined: 'package claimgate\n\nverdict := 1 if input.no',
    text: 'package claimgate\n\nverdict := "true"',
    number: 'package claimgate\n\nverdict := 1',
    true: 'package claimgate\n\nverdict := true',
    list: 'package claimgate\n\nverdict := [{"allow": true}]',
    surplus: verdict('false').replace('"roles": []', '"roles": [], "more": 1'),
    'allow as text': verdict('"true"'),
    'allow alone': 'package claimgate\n\nverdict := {"allow": true}',
  }
  for (const [name, source] of Object.entries(sources)) policies.set(name, await wasmOf(source))
  policies.set('other entrypoint', await wasmOf('package other\n\nverdict := true', 'other/verdict'))
  policies.set('no wasm', new TextEncoder().encode('hello'))
})

afterEach(async () => {
  await Promise.all(started.splice(0).map((evaluator) => evaluator.close()))
})

describe('what a policy says comes out', () => {
  test('an allowed verdict with its rules, roles and text', async () => {
    const [result] = await evaluateAll({}, [['real', inputWith()]])

    assert.ok(result?.ok)
    const { verdictText, ...rest } = result
    assert.deepEqual(rest, {
      ok: true,
      allow: true,
      denial: undefined,
      groupMet: true,
      roles: ['roles/gitopsServiceAgent'],
      ruleIds: ['deploy'],
    })
    const said: Verdict = JSON.parse(verdictText)
    assert.equal(said.allow, true)
    assert.deepEqual(said.guardrails, [])
  })

  test('of one whose constants need more memory than others begin with', async () => {
    const [result] = await evaluateAll({}, [['large constants', inputWith()]])

    assert.ok(result?.ok)
    assert.equal(result.denial, 'condition_not_met')
  })

  test('a group that is met is told apart from one that is not', async () => {
    const results = await evaluateAll({}, [
      ['real', inputWith({ ref: 'x', ref_path: 'refs/heads/x' })],
      ['real', inputWith({ namespace_path: 'other' })],
    ])

    assert.deepEqual(
      results.map((result) => result.ok && [result.allow, result.groupMet, result.roles]),
      [
        [false, true, []],
        [false, false, []],
      ],
    )
  })

  test('the same input gives the same text, evaluated a thousand times at once and by any worker', async () => {
    const evaluator = start({ loadCode: async () => policies.get('real'), log: silent, workers: 3 })

    const results = await Promise.all(
      Array.from({ length: 1000 }, (_, i) => evaluator.evaluate(`copy ${i % 20}`, inputWith())),
    )

    assert.equal(new Set(results.map((result) => result.ok && result.verdictText)).size, 1)
    assert.equal(results.filter((result) => result.ok && result.allow).length, 1000)
  })

  test('every answer belongs to its own input', async () => {
    const names = Array.from({ length: 90 }, (_, i) => `branch-${i}`)

    const results = await evaluateAll(
      {},
      names.map((name) => ['real', inputWith({ ref: name, ref_path: `refs/heads/${name}` })]),
    )

    const actual = results.map(
      (result) => result.ok && JSON.parse(result.verdictText).rules[0].conditions.ref.actual,
    )
    assert.deepEqual(
      actual,
      names.map((name) => `refs/heads/${name}`),
    )
  })
})

describe('what is not clearly a verdict is policy_error', () => {
  const odd = ['undefined', 'text', 'number', 'true', 'list', 'surplus', 'allow as text', 'allow alone']
  for (const name of [...odd, 'conflict', 'other entrypoint', 'no wasm', 'no such policy']) {
    test(name, async () => {
      const [result] = await evaluateAll({}, [[name, inputWith({ ref: 'throw' })]])

      assert.ok(result?.ok === false, JSON.stringify(result))
      assert.equal(result.reason, 'policy_error')
      assert.notEqual(result.cause, '')
    })
  }

  for (const input of [
    '',
    'null',
    '{',
    '{"a": "\\ud800"}',
    '{"a":\u0000}',
    JSON.stringify({ a: 'x'.repeat(65_536) }),
  ]) {
    test(`for the input ${input.slice(0, 20)}, and the next is served`, async () => {
      const [result, next] = await evaluateAll({}, [
        ['real', input],
        ['real', inputWith()],
      ])

      assert.ok(result?.ok === false || result?.allow === false)
      assert.ok(next?.ok && next.allow)
    })
  }
})

describe('a policy that throws', () => {
  test('is served by a new instance the next time', async () => {
    const results = await evaluateAll({}, [
      ['conflict', inputWith({ ref: 'throw' })],
      ['conflict', inputWith()],
    ])

    assert.deepEqual(
      results.map(({ ok }) => ok),
      [false, true],
    )
  })

  test('may do so fifteen hundred times without harm to it or the others', async () => {
    const evaluator = start({ workers: 1 })
    for (let round = 0; round < 15; round++) {
      const thrown = await Promise.all(
        Array.from({ length: 100 }, () => evaluator.evaluate('conflict', inputWith({ ref: 'throw' }))),
      )
      assert.ok(thrown.every(({ ok }) => !ok))
    }

    const [own, other] = [
      await evaluator.evaluate('conflict', inputWith()),
      await evaluator.evaluate('real', inputWith()),
    ]

    assert.ok(own.ok && other.ok && other.allow)
    assert.equal(evaluator.stats().replacedWorkers, 0)
  })
})

describe('a policy that does not end', () => {
  test('is stopped, and what waited behind it is answered elsewhere', async () => {
    const evaluator = start({ workers: 2 })
    const others = ['real', 'denies', 'grows']
    await Promise.all(others.map((name) => evaluator.evaluate(name, inputWith())))
    const started = performance.now()

    const results = await Promise.all(
      ['bomb', ...others, ...others].map((name) => evaluator.evaluate(name, inputWith())),
    )

    assert.deepEqual(reasons(results), ['policy_timeout', 'ok', 'ok', 'ok', 'ok', 'ok', 'ok'])
    assert.ok(performance.now() - started < 10_000)
    assert.equal(evaluator.stats().replacedWorkers, 1)
  })

  test('keeps nobody waiting that another worker can answer, the first time already', async () => {
    const evaluator = start({ workers: 2, deadlineMs: 2_000 })
    const others = ['real', 'denies', 'text', 'number', 'true', 'list']
    await Promise.all(['bomb by claim', ...others].map((name) => evaluator.evaluate(name, inputWith())))
    const order: string[] = []
    const ask = async (name: string, claims = {}) => {
      await evaluator.evaluate(name, inputWith(claims))
      order.push(name)
    }

    await Promise.all([
      ask('bomb by claim', { ref: 'bomb' }),
      ...others.map((name) => ask(name)),
      ask('bomb by claim'),
    ])

    assert.deepEqual(order.slice(-2), ['bomb by claim', 'bomb by claim'])
    assert.equal(evaluator.stats().replacedWorkers, 1)
  })

  test('keeps nobody else waiting from the second time on, however often it is sent', async () => {
    const evaluator = start({ workers: 1 })
    await evaluator.evaluate('bomb', inputWith())
    const bombs = Array.from({ length: 5 }, () => evaluator.evaluate('bomb', inputWith()))
    let answered = 0
    for (const each of bombs) each.then(() => answered++)

    const others = await Promise.all(
      Array.from({ length: 50 }, () => evaluator.evaluate('real', inputWith())),
    )

    assert.ok(others.every((result) => result.ok && result.allow))
    assert.ok(answered < bombs.length, 'the others waited for all of them')
    assert.deepEqual(reasons(await Promise.all(bombs)), Array(5).fill('policy_timeout'))
  })

  test('costs no worker from the second time on', async () => {
    const evaluator = start({ workers: 1 })
    await evaluator.evaluate('bomb', inputWith())

    const results = await Promise.all(
      ['bomb', 'bomb by claim', 'bomb'].map((name) => evaluator.evaluate(name, inputWith())),
    )

    assert.deepEqual(reasons(results), ['policy_timeout', 'ok', 'policy_timeout'])
    assert.equal(evaluator.stats().replacedWorkers, 1)
  })

  test('shares no worker with others from the second time on, nor does one that runs out of memory', async () => {
    for (const name of ['bomb', 'memory']) {
      const evaluator = start({ workers: 1 })
      await evaluator.evaluate(name, inputWith())
      await evaluator.evaluate('real', inputWith())
      const before = evaluator.stats().workers

      await evaluator.evaluate(name, inputWith())

      assert.deepEqual([before, evaluator.stats().workers], [1, 2], name)
    }
  })

  test('for a certain claim only is served for all others', async () => {
    const results = await evaluateAll({ workers: 1 }, [
      ['bomb by claim', inputWith()],
      ['bomb by claim', inputWith({ ref: 'bomb' })],
      ['bomb by claim', inputWith()],
    ])

    assert.deepEqual(reasons(results), ['ok', 'policy_timeout', 'ok'])
  })

  test('does not take an innocent one with it when this thread itself stands still', async () => {
    const evaluator = start({ workers: 1 })
    await evaluator.evaluate('real', inputWith())

    const asked = evaluator.evaluate('real', inputWith())
    await new Promise((resolve) => setImmediate(resolve))
    for (const until = performance.now() + 400; performance.now() < until; );

    assert.deepEqual(reasons([await asked]), ['ok'])
    assert.equal(evaluator.stats().replacedWorkers, 0)
  })
})

test('policies that do not end, of many identities, leave room for the others to wait', async () => {
  const loadCode = async (digest: string) => policies.get(digest.replace(/ \d+$/, ''))
  const evaluator = start({ loadCode, workers: 2, maxQueue: 4 })
  const bombs = Array.from({ length: 3 }, (_, i) => `bomb ${i}`)
  await Promise.all(bombs.map((name) => evaluator.evaluate(name, inputWith())))

  const flood = bombs.flatMap((name) =>
    Array.from({ length: 4 }, () => evaluator.evaluate(name, inputWith())),
  )
  const settling = Promise.allSettled(flood)
  const others = await Promise.all(
    Array.from({ length: 8 }, (_, i) => evaluator.evaluate(`real ${i}`, inputWith())),
  )

  assert.ok(others.every((result) => result.ok && result.allow))
  const settled = await settling
  assert.equal(settled.filter(({ status }) => status === 'rejected').length, 8)
})

test('of those that wait behind a policy when it is first stopped, only so many are run again', async () => {
  const evaluator = start({ workers: 1, maxQueue: 2 })

  const settled = await Promise.allSettled(
    Array.from({ length: 8 }, () => evaluator.evaluate('bomb', inputWith())),
  )

  assert.equal(settled.filter(({ status }) => status === 'fulfilled').length, 3)
  assert.equal(settled.filter(({ status }) => status === 'rejected').length, 5)
})

describe('memory', () => {
  test('over its bound is policy_memory, and the worker lives on', async () => {
    const evaluator = start({ workers: 1 })

    const results = [
      await evaluator.evaluate('memory', inputWith()),
      await evaluator.evaluate('real', inputWith()),
    ]

    assert.deepEqual(reasons(results), ['policy_memory', 'ok'])
    assert.equal(evaluator.stats().replacedWorkers, 0)
  })

  test('the count of loaded policies is bounded, and one that was dropped is loaded again', async () => {
    let loads = 0
    const evaluator = start({
      loadCode: async () => {
        loads++
        return policies.get('denies')
      },
      log: silent,
      workers: 1,
      maxPolicies: 3,
    })

    for (let i = 0; i < 12; i++) assert.ok((await evaluator.evaluate(`copy ${i % 6}`, inputWith())).ok)

    assert.equal(evaluator.stats().policies, 3)
    assert.equal(loads, 12)
  })

  test('what they take is bounded, also where one alone is too large', async () => {
    const evaluator = start({ workers: 1, maxBytes: 1000 })

    const results = [
      await evaluator.evaluate('denies', inputWith()),
      await evaluator.evaluate('denies', inputWith()),
    ]

    assert.deepEqual(reasons(results), ['ok', 'ok'])
    assert.deepEqual([evaluator.stats().policies, evaluator.stats().bytes], [0, 0])
  })

  test('a memory that has grown counts as it is', async () => {
    const evaluator = start({ workers: 1 })
    await evaluator.evaluate('denies', inputWith())
    const { bytes } = evaluator.stats()

    const grown = await evaluator.evaluate('grows', inputWith())

    assert.ok(grown.ok, JSON.stringify(grown))
    assert.ok(evaluator.stats().bytes > 2 * bytes + 1_000_000, `${bytes} ${evaluator.stats().bytes}`)
  })
})

test('policies that were dropped leave nothing behind', async () => {
  const evaluator = start({ loadCode: async () => policies.get('real'), workers: 1, maxPolicies: 10 })
  for (let i = 0; i < 30; i++) await evaluator.evaluate(`first ${i}`, inputWith())
  const before = process.memoryUsage.rss()

  for (let i = 0; i < 500; i++) await evaluator.evaluate(`then ${i}`, inputWith())

  const grownBytes = process.memoryUsage.rss() - before
  assert.ok(grownBytes < 80_000_000, `${grownBytes}`) // 160 MB where none is given up
})

describe('a worker that dies', () => {
  const seen: Worker[] = []
  let killsAtOnce = false
  const onWorker = (worker: Worker) => {
    seen.push(worker)
    if (killsAtOnce) worker.terminate()
  }
  before(() => process.on('worker', onWorker))
  after(() => process.off('worker', onWorker))

  test('is replaced, and what it had to do is done by another', async () => {
    const evaluator = start({ workers: 1 })
    await evaluator.evaluate('real', inputWith())

    const asked = Array.from({ length: 20 }, () => evaluator.evaluate('real', inputWith()))
    await seen.at(-1)?.terminate()

    assert.deepEqual(reasons(await Promise.all(asked)), Array(20).fill('ok'))
    assert.equal(evaluator.stats().replacedWorkers, 1)
  })

  test('again and again is given up, with an answer', async () => {
    killsAtOnce = true
    const evaluator = start({ workers: 2 })

    const result = await evaluator.evaluate('real', inputWith())
    killsAtOnce = false

    assert.deepEqual(reasons([result]), ['policy_error'])
    assert.deepEqual(reasons([await evaluator.evaluate('real', inputWith())]), ['ok'])
  })
})

describe('waiting', () => {
  test('is bounded for each policy, and the one that is refused may try again', async () => {
    const evaluator = start({ workers: 1, maxQueue: 1 })

    const asked = Array.from({ length: 12 }, () => evaluator.evaluate('real', inputWith()))
    const other = evaluator.evaluate('denies', inputWith())

    const settled = await Promise.allSettled(asked)
    assert.deepEqual(
      settled.map(({ status }) => status),
      [...Array(10).fill('fulfilled'), 'rejected', 'rejected'],
    )
    await assert.rejects(asked[11] ?? assert.fail(), { code: 'unavailable' })
    assert.ok((await other).ok)
    assert.ok((await evaluator.evaluate('real', inputWith())).ok)
  })

  test('is bounded for all that share a worker', async () => {
    const evaluator = start({
      loadCode: async () => policies.get('denies'),
      workers: 1,
      maxQueue: 2,
    })

    const asked = Array.from({ length: 41 }, (_, i) => evaluator.evaluate(`copy ${i}`, inputWith()))

    const settled = await Promise.allSettled(asked)
    assert.equal(settled.filter(({ status }) => status === 'rejected').length, 1)
  })

  test('for a policy to be loaded asks the store once', async () => {
    const asked: string[] = []
    const loadCode = async (digest: string) => {
      asked.push(digest)
      return policies.get(digest)
    }
    const evaluator = start({ loadCode, log: silent, workers: 1 })

    await Promise.all(Array.from({ length: 50 }, () => evaluator.evaluate('real', inputWith())))
    await evaluator.evaluate('real', inputWith())

    assert.deepEqual(asked, ['real'])
  })

  test('ends with the store’s own error, and the next one asks it again', async () => {
    let isDown = true
    const loadCode = async (digest: string) => {
      if (isDown) throw new Error('The store is down.')
      return policies.get(digest)
    }
    const evaluator = start({ loadCode, log: silent, workers: 1 })

    await assert.rejects(evaluator.evaluate('real', inputWith()), /down/)
    isDown = false

    assert.ok((await evaluator.evaluate('real', inputWith())).ok)
    assert.equal(evaluator.stats().waiting, 0)
  })
})

describe('closing', () => {
  test('answers what waits, a bomb among it, and takes no more', async () => {
    const evaluator = start({ workers: 2 })
    const asked = ['real', 'bomb', 'real', 'denies'].map((name) => evaluator.evaluate(name, inputWith()))

    const closed = evaluator.close()

    await assert.rejects(evaluator.evaluate('real', inputWith()), { code: 'unavailable' })
    assert.deepEqual(reasons(await Promise.all(asked)), ['ok', 'policy_timeout', 'ok', 'ok'])
    await closed
  })
})

function start(options: Partial<EvaluatorDeps>): Evaluator {
  const evaluator = createEvaluator({
    loadCode: async (digest) => policies.get(digest),
    log: silent,
    ...options,
  })
  started.push(evaluator)
  return evaluator
}

async function evaluateAll(
  options: Partial<EvaluatorDeps>,
  asked: readonly (readonly [digest: string, inputText: string])[],
): Promise<readonly EvaluationResult[]> {
  const evaluator = start(options)
  return Promise.all(asked.map(([digest, inputText]) => evaluator.evaluate(digest, inputText)))
}

function reasons(results: readonly EvaluationResult[]): readonly string[] {
  return results.map((result) => (result.ok ? 'ok' : result.reason))
}
