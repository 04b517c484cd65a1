import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

const MAIN = join(import.meta.dirname, '../../demo/main.ts')

type DemoRun = {
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly until?: string
}
type Run = {
  readonly output: string
  readonly exitCode: number | null
  readonly leftBehind: readonly string[]
}

/** Runs the demo with a folder for temporary files of its own; ends it like Ctrl-C once it says `until`. */
async function runDemo(options: DemoRun): Promise<Run> {
  const folder = mkdtempSync(join(tmpdir(), 'claimgate-demo-test-'))
  const env = { ...process.env, TMPDIR: folder, ...options.env }
  const child = spawn(process.execPath, [MAIN, ...(options.args ?? [])], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
      if (options.until !== undefined && output.includes(options.until)) child.kill('SIGINT')
    })
  }
  try {
    const [exitCode] = await once(child, 'close')
    return { output, exitCode, leftBehind: readdirSync(folder) }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** The table of decisions: number, outcome and reason. */
function decisionsIn(output: string): readonly string[] {
  const rows = output.matchAll(/^ {3}\d {2}(ALLOWED|DENIED) +(\w+)/gm)
  return [...rows].map(([, outcome, reason]) => `${outcome} ${reason}`)
}

const EXPECTED = [
  'ALLOWED allowed',
  'ALLOWED allowed',
  'DENIED condition_not_met',
  'DENIED condition_not_met',
  'DENIED condition_not_met',
  'DENIED condition_not_met',
  'DENIED token_replayed',
]

test('the demo lets in whom it should, refuses the others, says why, and ends with 0', async () => {
  const { output, exitCode, leftBehind } = await runDemo({})

  assert.equal(exitCode, 0, output)
  assert.deepEqual(decisionsIn(output), EXPECTED)
  for (const sentence of [
    /3\. project: project_path is 'my-group\/other-project', expected 'my-group\/my-project'\./,
    /4\. group: namespace_path is 'other-group'/,
    /5\. fork: job_project_id is '20'/,
    /7\. token_replayed: /,
  ]) {
    assert.match(output, sentence)
  }
  assert.match(
    output,
    /\| Failed to get access token\n {3}\| Token exchange denied\. Rule 'rule-1' is not met/,
  )
  assert.match(output, /\| reason: token_replayed · decision: [0-9a-f-]{36}\n/)
  assert.doesNotMatch(output, /more characters/)
  assert.doesNotMatch(output, /\u001b\[|eyJ/)
  assert.deepEqual(leftBehind, [])
})

test('without curl and jq the same requests are made from Node; --keep ends with Ctrl-C and leaves nothing', async () => {
  const { output, exitCode, leftBehind } = await runDemo({
    args: ['--keep'],
    env: { PATH: '/nowhere' },
    until: 'The decisions ',
  })

  assert.equal(exitCode, 0, output)
  assert.match(output, /curl and jq cannot be found on this machine(.|\n)*made\s+from Node/)
  assert.match(output, /deploy-1\.env; sh demo\/deploy\.sh/)
  assert.match(output, /Each token works once/)
  assert.deepEqual(decisionsIn(output), EXPECTED)
  assert.deepEqual(leftBehind, [])
  const [, address = ''] = /The service {2,}(\S+)/.exec(output) ?? []
  await assert.rejects(fetch(`${address}/healthz`))
})

test('Ctrl-C while the service starts ends it and leaves nothing', async () => {
  const { exitCode, leftBehind } = await runDemo({ until: 'The service: starting' })

  assert.equal(exitCode, 130)
  assert.deepEqual(leftBehind, [])
})

test('the demo says what is missing where the service cannot start', async () => {
  const opaBin = join(tmpdir(), 'no-such-opa')
  assert.ok(!existsSync(opaBin))

  const { output, exitCode } = await runDemo({ env: { OPA_BIN: opaBin } })

  assert.equal(exitCode, 2)
  assert.match(
    output,
    /The service did not start\. OPA_BIN is \S*no-such-opa, which does not work as a compiler/,
  )
})
