import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { checkGuardrailsVerdict, checkVerdict, joinVerdicts } from '../../src/policy/check-verdict.ts'

const condition = { claim: 'ref_path', expected: "branch 'main'", actual: 'refs/heads/main', met: true }
const rule = { id: 'deploy', title: 'Deploy', met: true, conditions: { group: condition, ref: condition } }
const verdict = { allow: true, rules: [rule], conditions: [], roles: ['roles/a'] }
const denied = { allow: false, rules: [], conditions: [], roles: [] }

test('a verdict is taken, with no guardrails', () => {
  assert.deepEqual(checkVerdict(verdict), { ...verdict, guardrails: [] })
  assert.deepEqual(checkVerdict(denied), { ...denied, guardrails: [] })
})

test('equal verdicts are equal texts, in whatever order they came', () => {
  const reordered = {
    roles: ['roles/a'],
    conditions: [],
    rules: [{ conditions: { ref: condition, group: condition }, met: true, title: 'Deploy', id: 'deploy' }],
    allow: true,
  }

  assert.equal(JSON.stringify(checkVerdict(reordered)), JSON.stringify(checkVerdict(verdict)))
})

test("requirements and roles come sorted, since Rego's sets have no order", () => {
  const requirement = (code: string) => ({ code, message: 'm', met: true })
  const checked = checkVerdict({
    ...verdict,
    conditions: [requirement('b'), requirement('a')],
    roles: ['z', 'b'],
  })

  assert.deepEqual(
    checked?.conditions.map(({ code }) => code),
    ['a', 'b'],
  )
  assert.deepEqual(checked?.roles, ['b', 'z'])
})

test("a claim's value may be of any type, and a code of any name", () => {
  for (const actual of [null, 1, false, ['a'], { a: [1] }]) {
    assert.ok(
      checkVerdict({ ...verdict, rules: [{ ...rule, conditions: { ref: { ...condition, actual } } }] }),
    )
  }
  const odd = JSON.parse(JSON.stringify(rule).replace('"ref"', '"__proto__"'))
  assert.deepEqual(Object.keys(checkVerdict({ ...verdict, rules: [odd] })?.rules[0]?.conditions ?? {}), [
    '__proto__',
    'group',
  ])
})

describe('anything else is no verdict', () => {
  const unmet = { ...condition, met: false }
  const odd: readonly [name: string, answer: unknown][] = [
    ['nothing', undefined],
    ['null', null],
    ['true', true],
    ['the text true', 'true'],
    ['1', 1],
    ['a list', [verdict]],
    ['an empty object', {}],
    ['allow alone', { allow: true }],
    ['allow as text', { ...verdict, allow: 'true' }],
    ['allow as 1', { ...verdict, allow: 1 }],
    ['a member more', { ...verdict, guardrails: [] }],
    ['a member less', { allow: true, rules: [rule], conditions: [] }],
    ['rules that are an object', { ...verdict, rules: { deploy: rule } }],
    ['a rule that is null', { ...verdict, rules: [null] }],
    ['a rule with a member more', { ...verdict, rules: [{ ...rule, disabled: false }] }],
    ['a rule whose id is a number', { ...verdict, rules: [{ ...rule, id: 1 }] }],
    ['a rule whose met is text', { ...verdict, rules: [{ ...rule, met: 'true' }] }],
    ['a rule without conditions', { ...verdict, rules: [{ ...rule, conditions: {} }] }],
    ['conditions that are a list', { ...verdict, rules: [{ ...rule, conditions: [condition] }] }],
    [
      'a condition with a member less',
      { ...verdict, rules: [{ ...rule, conditions: { ref: { claim: 'x', expected: 'y', met: true } } }] },
    ],
    [
      'a condition whose met is null',
      { ...verdict, rules: [{ ...rule, conditions: { ref: { ...condition, met: null } } }] },
    ],
    ['a requirement without a message', { ...verdict, conditions: [{ code: 'a', met: true }] }],
    ['a role that is no text', { ...verdict, roles: [1] }],
    [
      'a rule that is met with an unmet condition',
      { ...verdict, rules: [{ ...rule, conditions: { ref: unmet } }] },
    ],
    ['a rule that is not met with all conditions met', { ...denied, rules: [{ ...rule, met: false }] }],
    ['allowed without any rule', { ...verdict, rules: [] }],
    [
      'allowed with a requirement unmet',
      { ...verdict, conditions: [{ code: 'a', message: 'm', met: false }] },
    ],
    ['denied with a rule met', { ...verdict, allow: false, roles: [] }],
    ['roles without being allowed', { ...denied, roles: ['roles/a'] }],
  ]
  for (const [name, answer] of odd) {
    test(name, () => {
      assert.equal(checkVerdict(answer), undefined)
    })
  }
})

describe("the guardrails' verdict", () => {
  const met = { code: 'b', message: 'B.', met: true }
  const unmet = { code: 'a', message: 'A.', met: false }
  const own = { allow: true, rules: [rule], conditions: [], guardrails: [], roles: ['roles/a'] }

  test('is taken, sorted by code', () => {
    assert.deepEqual(checkGuardrailsVerdict({ guardrails: [met, unmet], allow: false }), {
      allow: false,
      guardrails: [unmet, met],
    })
  })

  for (const [name, answer] of [
    ['none at all', { allow: true, guardrails: [] }],
    ['allowed with one unmet', { allow: true, guardrails: [met, unmet] }],
    ['denied with all met', { allow: false, guardrails: [met] }],
    ['a member more', { allow: true, guardrails: [met], roles: [] }],
    ['a member less', { guardrails: [met] }],
    ['allow as text', { allow: 'true', guardrails: [met] }],
    ['a guardrail with a member more', { allow: true, guardrails: [{ ...met, more: 1 }] }],
    ["an identity's verdict", verdict],
  ] as const) {
    test(`is none where it is ${name}`, () => {
      assert.equal(checkGuardrailsVerdict(answer), undefined)
    })
  }

  test("joined with an identity's it takes away, and never gives", () => {
    const denied = { ...own, allow: false, roles: [] }

    assert.deepEqual(joinVerdicts(own, { allow: true, guardrails: [met] }), { ...own, guardrails: [met] })
    assert.deepEqual(joinVerdicts(own, { allow: false, guardrails: [unmet] }), {
      ...own,
      allow: false,
      roles: [],
      guardrails: [unmet],
    })
    assert.equal(joinVerdicts(denied, { allow: true, guardrails: [met] }).allow, false)
  })
})
