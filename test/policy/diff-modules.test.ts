import assert from 'node:assert/strict'
import { test } from 'node:test'
import { diffModules } from '../../src/policy/diff-modules.ts'

const moduleOf = (source: string) => [{ path: 'conditions.rego', source }]
const lines = (letter: string, count: number) =>
  Array.from({ length: count }, (_, n) => `# ${letter}${n}\n`).join('')

test('what is alike is left out, but for some lines around a change', () => {
  const [found] = diffModules(moduleOf(`${lines('a', 20)}x\n`), moduleOf(`${lines('a', 20)}y\n`))

  assert.match(
    found?.diff ?? '',
    /^--- a\/conditions\.rego\n\+\+\+ b\/conditions\.rego\n@@ -\d+,\d \+\d+,\d @@\n/,
  )
  assert.match(found?.diff ?? '', / # a19\n-x\n\+y\n$/)
  assert.doesNotMatch(found?.diff ?? '', /# a10\n/)
})

test('files that share nothing are told as one for the other, however long they are', () => {
  const [found] = diffModules(moduleOf(lines('a', 20_000)), moduleOf(lines('b', 20_000)))

  const [from, to, hunk, first, ...rest] = found?.diff.split('\n') ?? []
  assert.deepEqual([from, to], ['--- a/conditions.rego', '+++ b/conditions.rego'])
  assert.equal(hunk, '@@ -1,20000 +1,20000 @@')
  assert.equal(first, '-# a0')
  assert.equal(rest.filter((line) => line.startsWith('+')).length, 20_000)
})
