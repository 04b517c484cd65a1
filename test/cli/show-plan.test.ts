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

test('a list of values is shown whole, and what an author wrote stays on one line', () => {
  assert.deepEqual(shown({ roles: ['x'], title: 'a' }, { roles: ['x', 'y'], title: 'b\n\u001b[2J' }), [
    'roles: ["x"] -> ["x","y"]',
    'title: "a" -> "b\\n\\u001b[2J"',
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
    '    tests.new.id: "new"',
    '    tests.new.claims: {}',
    '    tests.new.expect: "DENIED"',
    '',
    '0 to create, 0 to change, 0 to delete, 3 unchanged; the guardrails change.',
    '',
  ])
  assert.match(told(none, before), /^\+ guardrails\n {4}--- \/dev\/null\n/)
  assert.match(told(before, none), /^- guardrails\n[\s\S]*\+\+\+ \/dev\/null\n/)
})
