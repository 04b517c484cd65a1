import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import {
  generatedSecret,
  lockDataDir,
  newAdminToken,
  newKeyEncryptionKey,
} from '../../src/config/data-dir.ts'
import { readConfig } from '../../src/config/env.ts'

const root = mkdtempSync(join(tmpdir(), 'claimgate-data-'))
after(() => rmSync(root, { recursive: true, force: true }))

let directories = 0
const freshDataDir = () => join(root, String(directories++), 'data')

describe('a generated secret', () => {
  test('is made once and stays', () => {
    const dataDir = freshDataDir()

    const first = generatedSecret(dataDir, 'admin-token', newAdminToken)
    const second = generatedSecret(dataDir, 'admin-token', newAdminToken)

    assert.equal(second, first)
    assert.deepEqual(readdirSync(dataDir), ['admin-token'])
  })

  test('can be read by its owner alone', () => {
    const dataDir = freshDataDir()

    generatedSecret(dataDir, 'admin-token', newAdminToken)

    assert.equal(statSync(join(dataDir, 'admin-token')).mode & 0o777, 0o600)
    assert.equal(statSync(dataDir).mode & 0o777, 0o700)
  })

  test('is as the configuration wants it', () => {
    const env = { ADMIN_TOKEN: newAdminToken(), KEY_ENCRYPTION_KEY: newKeyEncryptionKey() }

    const { config } = readConfig(env)

    assert.equal(config.adminToken, env.ADMIN_TOKEN)
    assert.equal(config.keyEncryptionKeys[0]?.length, 32)
    assert.notEqual(newAdminToken(), newAdminToken())
  })
})

describe('the lock of an embedded database', () => {
  test('keeps a second process out until it is given free', () => {
    const dataDir = freshDataDir()
    const free = lockDataDir(dataDir)

    const second = tryLockElsewhere(dataDir)
    free()
    const third = tryLockElsewhere(dataDir)

    assert.match(second, /is in use by another claimgate; set DATA_DIR or DATABASE_URL/)
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
})

/** What another process is told that wants the same directory; it ends without giving the lock free. */
function tryLockElsewhere(dataDir: string): string {
  const module = new URL('../../src/config/data-dir.ts', import.meta.url).href
  const script = `import { lockDataDir } from ${JSON.stringify(module)}
    try { lockDataDir(${JSON.stringify(dataDir)}); console.log('locked') } catch (error) { console.log(error.message) }`
  return spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
  }).stdout.trim()
}
