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

test('who gives no command gets the whole usage', () => {
  const { status, stdout, stderr } = run()

  assert.deepEqual([status, stdout], [2, ''])
  assert.match(stderr, /^Usage: claimgate COMMAND\n/)
})

test('what is no command is refused with the names of those that there are', () => {
  const HINT = 'What they do and take: claimgate --help\n'
  const DECISIONS = `There is: decisions export, decisions verify.\n${HINT}`
  const ALL =
    'There is: serve, migrate, doctor, decisions export, decisions verify, keys rotate, policy check, ' +
    `policy test, policy show, plan, apply.\n${HINT}`
  for (const [args, told] of [
    [['sevre'], `There is no command 'sevre'. ${ALL}`],
    [['sevre', 'now', '--json'], `There is no command 'sevre now'. ${ALL}`],
    [['decisions'], `'decisions' needs a second word. ${DECISIONS}`],
    [['decisions', 'exprot'], `There is no command 'decisions exprot'. ${DECISIONS}`],
  ] as const) {
    assert.deepEqual(run(...args), { status: 2, stdout: '', stderr: told })
  }
})

test('what is no flag of a command, or none of its operands, is refused with the usage of that one alone', () => {
  for (const [args, why, usage] of [
    [['serve', '--port', '1'], /^Unknown option '--port'/, /\n\nUsage: claimgate serve/],
    [
      ['plan', '--prun'],
      /^Unknown option '--prun'/,
      /\n\nUsage: claimgate plan FOLDER [\s\S]*\n {2}--prune /,
    ],
    [['plan'], /^plan needs FOLDER, and nothing else/, /\n\nUsage: claimgate plan FOLDER /],
  ] as const) {
    const { status, stdout, stderr } = run(...args)

    assert.deepEqual([status, stdout], [2, ''])
    assert.match(stderr, why)
    assert.match(stderr, usage)
    assert.doesNotMatch(stderr, /claimgate migrate|Options of apply/)
  }
})
