import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { processEnv } from './support/service-process.ts'

const MAIN = join(import.meta.dirname, '../src/main.ts')

function run(...args: readonly string[]) {
  // A setting that no command accepts: whoever asks how to call one need not have mended it.
  const env = { ...processEnv(), PORT: 'none' }
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], { env, encoding: 'utf8' })
  return { status, stdout, stderr }
}

test('help is given for every command, without doing anything', () => {
  const usage = run('help')

  assert.equal(usage.status, 0)
  assert.match(usage.stdout, /^Usage: claimgate COMMAND\n/)
  for (const command of [
    ['serve'],
    ['migrate'],
    ['doctor'],
    ['decisions', 'export'],
    ['policy', 'check'],
    ['plan'],
    ['apply'],
    [],
  ]) {
    const flag = command.length === 1 ? '-h' : '--help'
    assert.deepEqual(run(...command, flag), usage)
  }
})

test('the options of an export stand one to a line', () => {
  const { stdout } = run('decisions', 'export', '--help')

  for (const name of [
    'since',
    'until',
    'identity',
    'outcome',
    'reason',
    'kind',
    'project',
    'output',
    'compress',
    'json',
  ]) {
    assert.match(stdout, new RegExp(`^  --${name} .*\\S$`, 'm'))
  }
})

test('what is no command, or no flag of one, is refused with the usage', () => {
  for (const args of [['sevre'], ['serve', '--port', '1'], []]) {
    const { status, stdout, stderr } = run(...args)

    assert.deepEqual([status, stdout], [2, ''])
    assert.match(stderr, /Usage: claimgate COMMAND/)
  }
})
