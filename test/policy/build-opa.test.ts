import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { NO_COMPILER } from '../../src/policy/opa-binary.ts'
import { canBuild, type GoToolchain } from '../../tools/opa/build.ts'

const cases: readonly [name: string, go: GoToolchain | undefined, can: boolean][] = [
  ['no Go', undefined, false],
  ['the Go that OPA asks for', { version: 'go1.26.0', toolchain: 'local' }, true],
  ['a later one', { version: 'go1.30', toolchain: 'local' }, true],
  ['the next major version', { version: 'go2.0.1', toolchain: 'local' }, true],
  ['one that may fetch a later one', { version: 'go1.21.0', toolchain: 'auto' }, true],
  ['one that prefers another, and may fetch', { version: 'go1.25.1', toolchain: 'go1.25.1+auto' }, true],
  ['one that may not fetch', { version: 'go1.25.9', toolchain: 'local' }, false],
  ['one that is told to be another', { version: 'go1.24.0', toolchain: 'go1.24.0' }, false],
  ['one from before fetching', { version: 'go1.20.14', toolchain: 'auto' }, false],
  ['a very old one', { version: 'go1.9', toolchain: '' }, false],
  ['something else called go', { version: 'hello', toolchain: 'auto' }, false],
]
for (const [name, go, can] of cases) {
  test(`${name} ${can ? 'builds' : 'does not build'} the compiler`, () => {
    assert.equal(canBuild(go), can)
  })
}

describe('the installation without a compiler', () => {
  let root: string
  before(() => {
    root = mkdtempSync(join(tmpdir(), 'claimgate-test-'))
    const project = fileURLToPath(new URL('../..', import.meta.url))
    for (const path of ['tools/opa', 'src/policy', 'package.json']) {
      mkdirSync(dirname(join(root, path)), { recursive: true })
      cpSync(join(project, path), join(root, path), { recursive: true })
    }
  })
  after(() => rmSync(root, { recursive: true }))

  test('succeeds without Go, and says what to install', () => {
    const { status, stderr } = install({ PATH: '/nonexistent' })

    assert.equal(status, 0)
    assert.equal(stderr, `${NO_COMPILER}\n`)
    assert.ok(!existsSync(join(root, '.tools/opa')))
  })

  test('says the same with a Go that is too old', () => {
    const { status, stderr } = install({ PATH: fakeGo('echo go1.20.1; echo auto') })

    assert.equal(status, 0)
    assert.equal(stderr, `${NO_COMPILER}\n`)
  })

  test('fails where the build fails, shows why, and leaves nothing behind', () => {
    const go =
      'if [ "$1" = env ]; then echo go1.26.0; echo auto; else echo "checksum mismatch" >&2; exit 1; fi'
    const { status, stdout, stderr } = install({ PATH: fakeGo(go) })

    assert.equal(status, 1)
    assert.match(stderr, /checksum mismatch/)
    assert.match(stdout, /failed/)
    assert.ok(!existsSync(join(root, '.tools/opa')))
  })

  test('does not take what does not run as the compiler', () => {
    const go = 'if [ "$1" = env ]; then echo go1.26.0; echo auto; else echo text > "$5"; fi'
    const { status } = install({ PATH: fakeGo(go) })

    assert.equal(status, 1)
    assert.ok(!existsSync(join(root, '.tools/opa')))
  })

  test('builds nothing where OPA_BIN names one', () => {
    const { status, stdout, stderr } = install({ PATH: '/nonexistent', OPA_BIN: '/usr/bin/opa' })

    assert.deepEqual([status, stdout, stderr], [0, '', ''])
  })

  function install(env: Record<string, string>) {
    return spawnSync(process.execPath, [join(root, 'tools/opa/build.ts')], { env, encoding: 'utf8' })
  }

  function fakeGo(script: string): string {
    const folder = mkdtempSync(join(root, 'go-'))
    writeFileSync(join(folder, 'go'), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
    return folder
  }
})
