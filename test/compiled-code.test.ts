import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'

const ROOT = join(import.meta.dirname, '..')

/** Says where the compiled code of a process and of a thread of it is kept. */
const PROGRAM = `
  import { getCompileCacheDir } from 'node:module'
  import { Worker } from 'node:worker_threads'
  import { keepCompiledCode, threadEnvironment } from '${join(ROOT, 'src/compiled-code.ts')}'
  keepCompiledCode()
  const code = "const { getCompileCacheDir } = require('node:module'); require('node:worker_threads').parentPort.postMessage(getCompileCacheDir())"
  new Worker(code, { eval: true, env: threadEnvironment(), execArgv: [] }).on('message', (ofThread) => {
    console.log(JSON.stringify({ ofProcess: getCompileCacheDir(), ofThread }))
  })`

test('compiled code is kept beside the packages, and its threads find it there', () => {
  assert.deepEqual(run({}), { directory: join(ROOT, 'node_modules/.cache/claimgate'), isShared: true })
})

test('where NODE_COMPILE_CACHE names another place it is kept there', () => {
  const directory = join(ROOT, 'node_modules/.cache/elsewhere')

  assert.deepEqual(run({ NODE_COMPILE_CACHE: directory }), { directory, isShared: true })
})

function run(env: Readonly<Record<string, string>>): { directory: string; isShared: boolean } {
  const printed = execFileSync(process.execPath, ['--input-type=module', '-e', PROGRAM], {
    env,
    encoding: 'utf8',
  })
  const { ofProcess, ofThread } = JSON.parse(printed)
  return { directory: join(ofProcess, '..'), isShared: ofProcess === ofThread }
}
