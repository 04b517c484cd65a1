import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { ADMIN_TOKEN, generatedSecret, KEY_ENCRYPTION_KEY } from '../../src/config/data-dir.ts'
import { readConfig } from '../../src/config/env.ts'

const root = mkdtempSync(join(tmpdir(), 'claimgate-data-'))
after(() => rmSync(root, { recursive: true, force: true }))

let directories = 0
const freshDataDir = () => join(root, String(directories++), 'data')

describe('a generated secret', () => {
  test('is made once and stays', () => {
    const dataDir = freshDataDir()

    const first = generatedSecret(dataDir, ADMIN_TOKEN)
    const second = generatedSecret(dataDir, ADMIN_TOKEN)

    assert.equal(second, first)
    assert.deepEqual(readdirSync(dataDir), ['admin-token'])
  })

  test('can be read by its owner alone', () => {
    const dataDir = freshDataDir()

    generatedSecret(dataDir, ADMIN_TOKEN)

    assert.equal(statSync(join(dataDir, 'admin-token')).mode & 0o777, 0o600)
    assert.equal(statSync(dataDir).mode & 0o777, 0o700)
  })

  test('is as the configuration wants it', () => {
    const env = { ADMIN_TOKEN: ADMIN_TOKEN.make(), KEY_ENCRYPTION_KEY: KEY_ENCRYPTION_KEY.make() }

    const { config } = readConfig(env)

    assert.equal(config.adminToken, env.ADMIN_TOKEN)
    assert.equal(config.keyEncryptionKeys[0]?.length, 32)
    assert.notEqual(ADMIN_TOKEN.make(), ADMIN_TOKEN.make())
  })

  for (const [name, text] of [
    ['empty', ''],
    ['a newline', '\n'],
    ['short', 'admin\n'],
  ] as const) {
    test(`that is ${name} is refused and not used`, () => {
      const dataDir = freshDataDir()
      generatedSecret(dataDir, ADMIN_TOKEN)
      writeFileSync(join(dataDir, 'admin-token'), text)

      assert.throws(() => generatedSecret(dataDir, ADMIN_TOKEN), /does not hold what was once generated/)
      assert.equal(readFileSync(join(dataDir, 'admin-token'), 'utf8'), text)
    })
  }
})
