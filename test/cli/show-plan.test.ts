import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import { describePlan } from '../../src/cli/policy/show-plan.ts'

const shown = (before: Record<string, unknown>, after: Record<string, unknown>) =>
  stripVTControlCharacters(
    describePlan(
      [{ action: 'UPDATE', email: 'a@b.example', etag: '1', before, after, notices: [], findings: [] }],
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
