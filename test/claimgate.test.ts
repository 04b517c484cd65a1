import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { processEnv } from './support/service-process.ts'

const ROOT = join(import.meta.dirname, '..')
const packageJson = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
const COMMAND = packageJson.bin.claimgate

/** By its name, with the Node that runs the tests: as a shell finds it. */
function run(command: string, directory: string) {
  const bin = join(directory, 'bin')
  mkdirSync(bin)
  symlinkSync(command, join(bin, 'claimgate'))
  const env = { ...processEnv(), PATH: `${bin}:${dirname(process.execPath)}:${process.env.PATH}` }
  const { status, stdout, stderr } = spawnSync('claimgate', ['help'], { env, encoding: 'utf8' })
  return { status, stdout, stderr }
}

function inFolder<Result>(work: (directory: string) => Result): Result {
  const directory = mkdtempSync(join(tmpdir(), 'claimgate-command-'))
  try {
    return work(directory)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

test('the command runs claimgate, also by a link to it', () => {
  const { status, stdout } = inFolder((directory) => run(join(ROOT, COMMAND), directory))

  assert.equal(status, 0)
  assert.match(stdout, /^Usage: claimgate COMMAND\n/)
})

for (const [needed, isTold] of [
  ['99.0', true],
  [process.versions.node.replace(/\.(\d+)\.\d+$/, (_, minor) => `.${Number(minor) + 1}`), true],
  [process.versions.node.replace(/\.\d+$/, ''), false],
  ['9.99', false],
] as const) {
  test(`where ${needed} is needed the command ${isTold ? 'says so' : 'goes on'}`, () => {
    const { status, stdout, stderr } = inFolder((directory) => {
      cpSync(join(ROOT, COMMAND), join(directory, COMMAND))
      writeFileSync(join(directory, 'src/main.ts'), "process.stdout.write('It runs.' satisfies string)\n")
      const engines = { node: `>=${needed}` }
      writeFileSync(join(directory, 'package.json'), JSON.stringify({ type: 'module', engines }))
      return run(join(directory, COMMAND), directory)
    })

    const told = `claimgate needs Node ${needed} or later; this is ${process.versions.node}.\n`
    assert.deepEqual([status, stdout, stderr], isTold ? [2, '', told] : [0, 'It runs.', ''])
  })
}

test('the version that is needed is written as the command reads it', () => {
  assert.match(packageJson.engines.node, /^>=\d+\.\d+$/)
})
