import assert from 'node:assert/strict'
import { afterEach, before, describe, test } from 'node:test'
import { createEvaluator, type Evaluator, type EvaluatorDeps } from '../../src/policy/evaluate.ts'
import type { Verdict } from '../../src/policy/verdict.ts'
import { inputWith, realCompiler, ruleWith, silent, wasmOf } from './policy-world.ts'

const policies = new Map<string, Uint8Array>()
const started: Evaluator[] = []
const ENTRYPOINT = 'claimgate/guardrails_verdict/verdict'

before(async () => {
  const compiler = await realCompiler()
  const conditions =
    'package claimgate.conditions\nrequired := {"main": "Main."}\nmet contains "main" if input.claims.ref == "main"\n'
  const guardrails = (value: string) =>
    `package claimgate.guardrails\nrequired := {"z": "Z.", "hosted": "Hosted."}\nmet contains "z" if input.time > 0\nmet contains "hosted" if input.claims.runner_environment == "${value}"\n`
  const gathered = {
    plain: compiler.gather({ provider: 'GITLAB', rules: [ruleWith()] }),
    conditioned: compiler.gather({ provider: 'GITLAB', rules: [ruleWith({ refs: [] })], conditions }),
    hosted: compiler.gatherGuardrails(guardrails('gitlab-hosted')),
    own: compiler.gatherGuardrails(guardrails('self-hosted')),
  }
  for (const [name, source] of Object.entries(gathered)) {
    const compiled = await compiler.compile(source)
    assert.ok(compiled.ok, JSON.stringify(compiled))
    policies.set(name, compiled.wasm)
  }
  const verdict = (text: string) => `package claimgate.guardrails_verdict\n\nverdict := ${text}`
  const one = (met: string) => `[{"code": "a", "message": "A.", "met": ${met}}]`
  const sources: Record<string, string> = {
    'allows none': verdict('{"allow": true, "guardrails": []}'),
    'allows what is unmet': verdict(`{"allow": true, "guardrails": ${one('false')}}`),
    'denies what is met': verdict(`{"allow": false, "guardrails": ${one('true')}}`),
    "is an identity's": verdict('{"allow": true, "rules": [], "conditions": [], "roles": []}'),
    'says more': verdict(`{"allow": true, "guardrails": ${one('true')}, "roles": ["roles/workspaceAdmin"]}`),
    'says nothing': verdict('{"allow": true} if input.no'),
    'says it twice': verdict(`{"allow": "true", "guardrails": ${one('true')}}`),
    conflict: `${verdict('x')}\n\nx := 1 if input.claims\n\nx := 2 if input.time`,
    memory: verdict(
      '{"allow": count([[x, y] | some x in numbers.range(1, 9999); some y in numbers.range(1, 9999)]) == 1, "guardrails": []}',
    ),
    'late by claim': `${verdict(`{"allow": late, "guardrails": ${one('late')}}`)}\n\nr := numbers.range(1, 4000)\n\ndefault late := true\n\nlate := false if {\n\tinput.claims.ref == "bomb"\n\tcount([x | some x in r; some y in r; some z in r; x > y; y > z; z > x]) > 0\n}`,
  }
  for (const [name, source] of Object.entries(sources)) policies.set(name, await wasmOf(source, ENTRYPOINT))
})

afterEach(async () => {
  await Promise.all(started.splice(0).map((evaluator) => evaluator.close()))
})

function start(more: Partial<EvaluatorDeps> = {}): { evaluator: Evaluator; loads: string[] } {
  const loads: string[] = []
  const loadCode = async (digest: string) => {
    loads.push(digest)
    return policies.get(digest)
  }
  const evaluator = createEvaluator({ loadCode, log: silent, workers: 2, ...more })
  started.push(evaluator)
  return { evaluator, loads }
}

const hosted = inputWith({ runner_environment: 'gitlab-hosted' })
const own = inputWith({ runner_environment: 'self-hosted' })

describe("guardrails beside an identity's policy", () => {
  test('allowed is what both allow, with all that both say in one verdict', async () => {
    const { evaluator } = start()

    const both = await evaluator.evaluate('plain', hosted, 'hosted')
    const alone = await evaluator.evaluate('plain', hosted)

    assert.ok(both.ok && alone.ok)
    const { guardrails, ...rest } = JSON.parse(both.verdictText) as Verdict
    const { guardrails: none, ...restAlone } = JSON.parse(alone.verdictText) as Verdict
    assert.deepEqual(rest, restAlone)
    assert.deepEqual(none, [])
    assert.deepEqual(guardrails, [
      { code: 'hosted', message: 'Hosted.', met: true },
      { code: 'z', message: 'Z.', met: true },
    ])
    assert.deepEqual([both.allow, both.denial, both.roles], [true, undefined, ['roles/gitopsServiceAgent']])
  })

  for (const [claims, guardrails, denial] of [
    [{ runner_environment: 'gitlab-hosted' }, 'hosted', undefined],
    [{ runner_environment: 'self-hosted' }, 'hosted', 'denied_by_guardrails'],
    [{}, 'hosted', 'denied_by_guardrails'],
    [{ ref: 'x', ref_path: 'refs/heads/x' }, 'hosted', 'denied_by_conditions'],
    [
      { ref: 'x', ref_path: 'refs/heads/x', runner_environment: 'self-hosted' },
      'own',
      'denied_by_conditions',
    ],
    [{ ref: 'x', ref_path: 'refs/heads/x', project_path: 'acme/x' }, 'hosted', 'condition_not_met'],
    [{ project_path: 'acme/x', runner_environment: 'self-hosted' }, 'own', 'condition_not_met'],
  ] as const) {
    test(`${JSON.stringify(claims)} beside '${guardrails}': ${denial ?? 'allowed'}`, async () => {
      const { evaluator } = start()

      const result = await evaluator.evaluate('conditioned', inputWith(claims), guardrails)

      assert.ok(result.ok)
      assert.equal(result.denial, denial)
      assert.equal(result.allow, denial === undefined)
      assert.equal(result.groupMet, true)
      assert.equal(result.roles.length, denial === undefined ? 1 : 0)
      const verdict: Verdict = JSON.parse(result.verdictText)
      assert.deepEqual([verdict.allow, verdict.roles], [result.allow, result.roles])
    })
  }

  for (const name of [
    'allows none',
    'allows what is unmet',
    'denies what is met',
    "is an identity's",
    'says more',
    'says nothing',
    'says it twice',
    'conflict',
    'not there',
  ]) {
    test(`guardrails of which the policy ${name} are policy_error, never allowed`, async () => {
      const { evaluator } = start()

      const results = [
        await evaluator.evaluate('plain', hosted, name),
        await evaluator.evaluateGuardrails(name, hosted),
      ]

      for (const result of results) assert.equal(!result.ok && result.reason, 'policy_error')
      // What is not there fails before anything is run.
      const isRun = name !== 'not there'
      for (const result of results) assert.equal(!result.ok && result.isOfGuardrails === true, isRun)
    })
  }

  test('that use up the memory are policy_memory, and the identity is judged again without them', async () => {
    const { evaluator } = start()

    const result = await evaluator.evaluate('plain', hosted, 'memory')

    assert.equal(!result.ok && result.reason, 'policy_memory')
    assert.equal(!result.ok && result.isOfGuardrails, true)
    assert.equal((await evaluator.evaluate('plain', hosted, 'hosted')).ok, true)
  })

  test("are not what failed where it is the identity's policy that did", async () => {
    const { evaluator } = start()

    const result = await evaluator.evaluate('says nothing', hosted, 'hosted')

    assert.equal(!result.ok && result.reason, 'policy_error')
    assert.equal(!result.ok && result.isOfGuardrails, undefined)
  })

  test('that do not end are policy_timeout, and only for who sets them off', async () => {
    const { evaluator } = start()
    const bomb = inputWith({ ref: 'bomb', ref_path: 'refs/heads/bomb' })

    const [late, other] = await Promise.all([
      evaluator.evaluate('plain', bomb, 'late by claim'),
      evaluator.evaluate('conditioned', hosted, 'late by claim'),
    ])
    const after = await evaluator.evaluate('plain', hosted, 'late by claim')

    assert.equal(!late.ok && late.reason, 'policy_timeout')
    assert.equal(!late.ok && late.isOfGuardrails, true)
    assert.ok(other.ok && other.allow)
    assert.ok(after.ok && after.allow)
  })

  test('that had to be stopped are not held against a policy once there are others', async () => {
    const { evaluator } = start({ workers: 1 })
    await evaluator.evaluate('plain', inputWith({ ref: 'bomb' }), 'late by claim')

    await evaluator.evaluate('plain', hosted, 'hosted')
    const besideOthers = evaluator.stats().workers
    await evaluator.evaluate('plain', hosted, 'late by claim')

    assert.deepEqual([besideOthers, evaluator.stats().workers], [1, 2])
  })

  test('can be changed while others are at work, and each is judged by its own', async () => {
    const { evaluator } = start()
    const asked = Array.from(
      { length: 300 },
      (_, n) => [n % 2 ? hosted : own, n % 3 ? 'hosted' : 'own'] as const,
    )

    const results = await Promise.all(
      asked.map(([input, guardrails]) => evaluator.evaluate('plain', input, guardrails)),
    )

    const allowed = results.map((result) => result.ok && result.allow)
    assert.deepEqual(
      allowed,
      asked.map(([input, guardrails]) => (input === hosted) === (guardrails === 'hosted')),
    )
  })

  test('are loaded once for many identities', async () => {
    const { evaluator, loads } = start({ workers: 1 })

    for (const policy of ['plain', 'conditioned', 'plain']) await evaluator.evaluate(policy, hosted, 'hosted')

    assert.deepEqual(loads.toSorted(), ['conditioned', 'hosted', 'plain'])
  })

  test('stay loaded where no other policy does', async () => {
    const { evaluator } = start({ workers: 1, maxPolicies: 1 })

    for (const policy of ['plain', 'conditioned', 'plain', 'conditioned']) {
      const result = await evaluator.evaluate(policy, hosted, 'hosted')
      assert.ok(result.ok && result.allow)
    }
  })

  test('alone they say what they say of any identity', async () => {
    const { evaluator } = start()

    const allowed = await evaluator.evaluateGuardrails('hosted', hosted)
    const denied = await evaluator.evaluateGuardrails('hosted', own)

    assert.ok(allowed.ok && denied.ok)
    assert.deepEqual([allowed.allow, allowed.denial], [true, undefined])
    assert.deepEqual([denied.allow, denied.denial], [false, 'denied_by_guardrails'])
  })
})
