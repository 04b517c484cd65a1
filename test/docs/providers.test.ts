import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { PROVIDER_TYPES, PROVIDERS } from '../../src/provider/providers.ts'
import { readPage } from './code-blocks.ts'

const page = readPage('docs/providers.md')

test("the page's table of names is that of the providers' files", () => {
  const rows = page
    .split('\n')
    .filter((line) => line.startsWith('| `') || line.startsWith('| the kind'))
    .map((line) =>
      line
        .split('|')
        .slice(2, -1)
        .map((cell) => cell.replaceAll('`', '').trim()),
    )

  const expected = (
    ['group', 'project', 'refType', 'refPath', 'refProtected', 'source', 'projectId', 'groupId'] as const
  ).map((name) => PROVIDER_TYPES.map((type) => PROVIDERS[type].names[name]))
  assert.deepEqual(rows, expected)
})

test('every file that the page names is there, of each provider', () => {
  const named = [...page.matchAll(/\b(?:src|policies|test|docs)\/[\w/.-]+\.\w+/g)].map(([path]) => path)
  const paths = named.flatMap((path) =>
    PROVIDER_TYPES.map((type) => path.replace('NAME', type.toLowerCase())),
  )

  assert.ok(named.length > 10)
  assert.deepEqual(
    paths.filter((path) => !existsSync(new URL(`../../${path}`, import.meta.url))),
    [],
  )
})
