import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import { describePlan } from '../../src/cli/policy/show-plan.ts'

type Guardrails = { source: string; tests: { title: string; [field: string]: unknown }[] }

const shown = (before: Record<string, unknown>, after: Record<string, unknown>) =>
  stripVTControlCharacters(
    describePlan(
      {
        changes: [
          { action: 'UPDATE', email: 'a@b.example', etag: '1', before, after, notices: [], findings: [] },
        ],
      },
      0,
    ),
  )
    .split('\n')
    .slice(1, -3)
    .map((line) => line.trim())

const config = (...rules: readonly object[]) => ({ workloadIdentityConfig: { rules } })

test('a rule is told by its id, wherever it stands', () => {
  const [a, b] = [
    { id: 'a', group: 'x' },
    { id: 'b', group: 'x' },
  ]

  assert.deepEqual(shown(config(a), config(b, { ...a, group: 'y' })), [
    'rules.a.group: "x" -> "y"',
    'rules.b.id: "b"',
    'rules.b.group: "x"',
  ])
  assert.deepEqual(shown(config(a, b), config(b)), ['rules.a: {"id":"a","group":"x"} -> removed'])
  assert.deepEqual(shown(config(a, b), config(b, a)), ['rules: in another order, ["a","b"] -> ["b","a"]'])
})

test("an identity's test is told by its title, wherever it stands", () => {
  const [a, b] = [
    { title: 'a', expect: 'ALLOWED' },
    { title: 'b', expect: 'DENIED' },
  ]

  assert.deepEqual(shown({ tests: [a, b] }, { tests: [b] }), [
    'tests.a: {"title":"a","expect":"ALLOWED"} -> removed',
  ])
})

test('a list of values is shown whole, and what an author wrote stays on one line', () => {
  assert.deepEqual(shown({ roles: ['x'], title: 'a' }, { roles: ['x', 'y'], title: 'b\n\u001b[2J' }), [
    'roles: ["x"] -> ["x","y"]',
    'title: "a" -> "b\\n\\u001b[2J"',
  ])
})

test('findings that an apply would be refused for are told, old ones too, with the flag that says why they may be', () => {
  const finding = { grade: 'CRITICAL', message: 'M.', change: 'C.' } as const
  const findings = [
    { ...finding, code: 'whole_group_open', rule: 'ci', isNew: true, isBlocking: true },
    { ...finding, code: 'shared_audience', isNew: false, isBlocking: true },
    { ...finding, code: 'no_project', isNew: false, isBlocking: false },
  ]
  const change = { action: 'UPDATE' as const, email: 'a@b.example', etag: '1', notices: [], findings }

  const told = stripVTControlCharacters(describePlan({ changes: [change] }, 0))

  assert.deepEqual(told.split('\n').slice(1, 5), [
    '    critical whole_group_open ("ci"): M. C.',
    '    critical shared_audience: M. C.',
    '    to acknowledge BLOCK_FINDINGS refuses an apply for whole_group_open ("ci"), shared_audience, unless it says why: apply --acknowledge REASON',
    '    1 finding as before: --json shows them',
  ])
})

test('guardrails are told by a diff of their Rego, of which no character moves the cursor, and by their tests', () => {
  const own = { title: 'own', claims: { a: '1' }, expect: 'DENIED' }
  const before = { source: 'package x\n\ny := 1\n', tests: [own] }
  const after = {
    source: 'package x\n\ny := 2 # \u001b[2J\u202e\u009b\n',
    tests: [
      { ...own, expect: 'ALLOWED' },
      { title: 'new', claims: {}, expect: 'DENIED' },
    ],
  }
  const told = (from: Guardrails, to: Guardrails) =>
    stripVTControlCharacters(
      describePlan({ changes: [], guardrails: { etag: '1', before: from, after: to } }, 3),
    )
  const none = { source: '', tests: [] }

  assert.deepEqual(told(before, after).split('\n'), [
    '~ guardrails',
    '    --- a/guardrails.rego',
    '    +++ b/guardrails.rego',
    '    @@ -1,3 +1,3 @@',
    '     package x',
    '     ',
    '    -y := 1',
    '    +y := 2 # \\u{1b}[2J\\u{202e}\\u{9b}',
    '    tests.own.expect: "DENIED" -> "ALLOWED"',
    '    tests.new.title: "new"',
    '    tests.new.claims: {}',
    '    tests.new.expect: "DENIED"',
    '',
    '0 to create, 0 to change, 0 to delete, 3 unchanged; the guardrails change.',
    '',
  ])
  assert.match(told(none, before), /^\+ guardrails\n {4}--- \/dev\/null\n/)
  assert.match(told(before, none), /^- guardrails\n[\s\S]*\+\+\+ \/dev\/null\n/)
  assert.match(
    told(before, none),
    /^ {4}tests\.own: \{"title":"own","claims":\{"a":"1"\},"expect":"DENIED"\} -> removed$/m,
  )
  assert.match(told(none, before), /^ {4}tests\.own\.title: "own"$/m)
  const twice = { ...before, tests: [own, { ...own, expect: 'ALLOWED' }] }
  assert.match(told(before, twice), /^ {4}tests\['own \(2\)'\]\.expect: "ALLOWED"$/m)
})

const NONE = { count: 0, decisions: [] }
const IMPACT = {
  since: '2026-10-25T12:00:00.000Z',
  isComplete: true,
  oldestDecideTime: null,
  replayed: 20,
  newlyAllowed: NONE,
  newlyDenied: NONE,
  rolesChanged: NONE,
  errors: NONE,
  notices: [],
}
const impactShown = (impact: object) =>
  stripVTControlCharacters(
    describePlan(
      {
        changes: [
          {
            action: 'DELETE',
            email: 'a@b.example',
            etag: '1',
            notices: [],
            findings: [],
            impact: { ...IMPACT, ...impact },
          },
        ],
      },
      0,
    ),
  )
    .split('\n')
    .slice(1, -3)

test('an impact is told by its numbers and the newest decisions, of which no character moves the cursor', () => {
  const decision = {
    decision: 'decisions/1',
    identity: 'a@b.example',
    subject: 'x\u009b2J\u202e',
    decideTime: '2026-11-20T12:00:00.000Z',
    explanation: 'why',
  }

  assert.deepEqual(
    impactShown({ newlyDenied: { count: 12, decisions: [decision] }, notices: ['Not told.'] }),
    [
      '    impact on 20 decisions since 2026-10-25T12:00:00.000Z: 12 newly denied',
      '      newly denied 2026-11-20T12:00:00.000Z x\\u{9b}2J\\u{202e} at a@b.example (decisions/1): why',
      '      and 11 more newly denied',
      '      notice Not told.',
    ],
  )
  assert.deepEqual(impactShown({}), [
    '    impact on 20 decisions since 2026-10-25T12:00:00.000Z: nothing would come out otherwise',
  ])
})

test('an impact says where it was cut, and where nothing was looked at', () => {
  assert.deepEqual(impactShown({ isComplete: false, oldestDecideTime: '2026-11-19T00:00:00.000Z' }), [
    '    impact on 20 decisions since 2026-11-19T00:00:00.000Z: nothing would come out otherwise; cut there, for want of time: there are older ones',
  ])
  assert.deepEqual(impactShown({ isComplete: false, replayed: 0 }), [
    '    impact: not looked at, for want of time',
  ])
})

test('guardrails tell the tests of identities that they break', () => {
  const guardrails = { source: 'x', tests: [] }
  const failingTests = {
    looked: 9,
    isComplete: false,
    count: 2,
    identities: [{ email: 'a@b.example', tests: [{ title: 't', message: "Test 't' expects ALLOWED." }] }],
  }

  const told = describePlan(
    { changes: [], guardrails: { etag: '1', before: guardrails, after: guardrails, failingTests } },
    0,
  )

  assert.deepEqual(stripVTControlCharacters(told).split('\n').slice(1, 4), [
    '    tests that would fail then: of 2 identities, of 9 that were looked at: there are more',
    "      FAIL a@b.example: Test 't' expects ALLOWED.",
    '      and of 1 more',
  ])
})
