import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { type Plan, readPlan, writtenPlan } from '../../src/cli/policy/plan-file.ts'

const PLAN: Plan = {
  url: 'https://claimgate.example.com',
  changes: [{ action: 'DELETE', email: 'a@workload.example.com', etag: '1', notices: [], findings: [] }],
}

let folder: string
let file: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'plan-file-'))
  file = join(folder, 'plan.json')
})
afterEach(() => rmSync(folder, { recursive: true }))

test('a plan is read as it was written, also where a text in it was cut within a character', () => {
  const [change] = PLAN.changes
  assert.ok(change)
  const changes = [{ ...change, notices: ['\u{1f600}'.slice(0, 1)] }]

  writeFileSync(file, writtenPlan({ ...PLAN, changes }))

  assert.deepEqual(readPlan(file).changes, [{ ...change, notices: ['\u{fffd}'] }])
})

describe('what is no plan is refused with its name and the reason:', () => {
  const text = writtenPlan(PLAN)
  for (const [what, content, reason] of [
    ['an empty file', '', 'it is empty.'],
    ['one that was cut off', text.slice(0, 40), 'it is not JSON.'],
    ['one with a byte order mark', `\u{feff}${text}`, 'it begins with a byte order mark.'],
    ['one that is not UTF-8', Buffer.from('"\xe4"', 'latin1'), 'it is not UTF-8.'],
    [
      'one that says twice what is changed',
      text.replace('"changes"', '"changes": [],\n"changes"'),
      'it has a member twice.',
    ],
    ['a list', '[]', 'it must be an object, not a list.'],
    ['another version', text.replace('"version": 1', '"version": 2'), /^version must be '1'/],
  ] as const) {
    test(what, () => {
      writeFileSync(file, content)

      assert.throws(
        () => readPlan(file),
        ({ message }: Error) => {
          const start = `${file} is no plan: `
          assert.ok(message.startsWith(start), message)
          const said = message.slice(start.length)
          if (typeof reason === 'string') assert.equal(said, reason)
          else assert.match(said, reason)
          return true
        },
      )
    })
  }
})
