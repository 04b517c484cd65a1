import assert from 'node:assert/strict'
import { test } from 'node:test'
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Database } from '../../src/db/database.ts'
import { DATABASES } from '../support/world.ts'
import { openTestDatabase } from './test-database.ts'

const QUERIES = 400
const VALUE_BYTES = 20_000

test('a query leaves nothing behind in the old generation', {
  skip: !DATABASES.includes('postgresql' as never),
}, async () => {
  setFlagsFromString('--expose-gc')
  const collect: (options: { type: 'minor' | 'major' }) => void = runInNewContext('gc')
  const { db, close } = await openTestDatabase('postgresql', { migrate: false })

  await runQueries(db, collect)
  collect({ type: 'major' })
  const before = oldBytes()
  await runQueries(db, collect)
  const kept = oldBytes() - before

  await close()
  assert.ok(kept < (QUERIES * VALUE_BYTES) / 10, `${kept} bytes of ${QUERIES * VALUE_BYTES} grew old`)
})

async function runQueries(db: Database, collect: (options: { type: 'minor' }) => void): Promise<void> {
  const statement = { name: 'length', text: 'select length($1::text) as length' }
  for (let index = 0; index < QUERIES; index++) {
    const value = String(index % 10).repeat(VALUE_BYTES)
    const [row] = await db.run<{ length: number }>(statement, [JSON.stringify(value)])
    assert.equal(row?.length, VALUE_BYTES + 2)
    if (index % 10 === 0) collect({ type: 'minor' })
  }
}

function oldBytes(): number {
  const old = getHeapSpaceStatistics().filter(({ space_name }) => /^(old|large_object)/.test(space_name))
  return old.reduce((sum, { space_used_size }) => sum + space_used_size, 0)
}
