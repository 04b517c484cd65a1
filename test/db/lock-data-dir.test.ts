import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { lockDataDir } from '../../src/db/lock-data-dir.ts'

const root = mkdtempSync(join(tmpdir(), 'claimgate-lock-'))
after(() => rmSync(root, { recursive: true, force: true }))

let directories = 0
const freshDataDir = () => join(root, String(directories++), 'data')

describe('the lock of an embedded database', () => {
  test('keeps a second process out until it is given free', () => {
    const dataDir = freshDataDir()
    const free = lockDataDir(dataDir)

    const second = tryLockElsewhere(dataDir)
    free()
    const third = tryLockElsewhere(dataDir)

    assert.match(
      second,
      /is in use by another claimgate: end that one first, or set DATA_DIR or DATABASE_URL/,
    )
    assert.equal(third, 'locked')
  })

  test('of a process that is dead is taken over', () => {
    const dataDir = freshDataDir()
    const died = spawnSync(process.execPath, ['-e', ''])
    lockDataDir(dataDir)()
    writeFileSync(join(dataDir, 'lock'), String(died.pid))

    const free = lockDataDir(dataDir)

    free()
    assert.equal(existsSync(join(dataDir, 'lock')), false)
  })

  test('that names nobody keeps nobody out', () => {
    const dataDir = freshDataDir()
    mkdirSync(dataDir, { recursive: true })
    writeFileSync(join(dataDir, 'lock'), '')

    const locked = tryLockElsewhere(dataDir)

    assert.equal(locked, 'locked')
  })
})

/** What another process is told that wants the same directory; it ends without giving the lock free. */
function tryLockElsewhere(dataDir: string): string {
  const module = new URL('../../src/db/lock-data-dir.ts', import.meta.url).href
  const script = `import { lockDataDir } from ${JSON.stringify(module)}
    try { lockDataDir(${JSON.stringify(dataDir)}); console.log('locked') } catch (error) { console.log(error.message) }`
  return spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
  }).stdout.trim()
}
