import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { createSmokeRunner } from '../../src/policy/smoke-run.ts'
import { eventually } from '../decision/invariants.ts'
import { inputWith, realCompiler, ruleWith } from './policy-world.ts'

/** Node names its threads as their `Worker` says. */
const policyThreads = () => readdirSync('/proc/self/task').filter((id) => nameOf(id) === 'policy').length

/** Undefined where the thread has ended since it was listed. */
function nameOf(id: string): string | undefined {
  try {
    return readFileSync(`/proc/self/task/${id}/comm`, 'utf8').trim()
  } catch {
    return undefined
  }
}

test('the thread that tries policies out ends while nobody does, and is there again for the next', async () => {
  const compiler = await realCompiler()
  const compiled = await compiler.compile(compiler.gather({ provider: 'GITLAB', rules: [ruleWith()] }))
  assert.ok(compiled.ok)
  const { run, close } = createSmokeRunner(0)
  try {
    assert.equal(policyThreads(), 0)
    for (const _ of [1, 2]) {
      const [result] = await run(compiled.wasm, [inputWith()])
      assert.ok(result?.ok && result.allow)
      await eventually('the thread has ended', () => policyThreads() === 0)
    }
  } finally {
    await close()
  }
})
