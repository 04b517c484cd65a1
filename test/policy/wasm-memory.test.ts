import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createPolicyCompiler } from '../../src/policy/compile-policy.ts'
import { POLICIES_DIR } from '../../src/policy/prepare-policy.ts'
import { initialMemoryPages } from '../../src/policy/wasm-memory.ts'
import { realOpa, ruleWith, wasmOf } from './policy-world.ts'

/** A custom section, then imports m.f (function), m.t (table), m.g (global) and m.m (a memory of these pages). */
function moduleWith(...limits: readonly number[]): Uint8Array {
  const name = (letter: string) => [1, 0x6d, 1, letter.charCodeAt(0)]
  const functions = [...name('f'), 0, 0, ...name('t'), 1, 0x70, 1, 1, 2, ...name('g'), 3, 0x7f, 0]
  const imports = [4, ...functions, ...name('m'), 2, ...limits]
  const magic = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]
  return Uint8Array.from([...magic, 0, 3, 1, 0x78, 9, 1, 4, 1, 0x60, 0, 0, 2, imports.length, ...imports])
}

test('the memory that a module wants is read past what stands before it', () => {
  assert.equal(initialMemoryPages(moduleWith(0, 2)), 2)
  assert.equal(initialMemoryPages(moduleWith(1, 17, 20)), 17)
  assert.equal(initialMemoryPages(moduleWith(0, 0x80, 0x02)), 256)
})

test("a policy's own is within what it is given", async () => {
  const pages = initialMemoryPages(await wasmOf('package claimgate\n\nverdict := 1'))

  assert.ok(pages >= 1 && pages <= 16, String(pages))
})

test('what is no such module throws', () => {
  const whole = moduleWith(0, 2)

  assert.throws(() => initialMemoryPages(whole.slice(0, 8)), /no imports/)
  assert.throws(() => initialMemoryPages(whole.slice(0, whole.length - 1)), /too early/)
  assert.throws(() => initialMemoryPages(moduleWith(0, 0x80, 0x80, 0x80, 0x80, 0x80, 1)), /too long/)
})

test('a policy that wants more than it is given is a problem when it is saved', async () => {
  const opa = { ...realOpa(), build: async () => ({ ok: true as const, wasm: moduleWith(0, 17) }) }
  const compiler = await createPolicyCompiler({ opa, policiesDir: POLICIES_DIR })

  const compiled = await compiler.compile(compiler.gather({ provider: 'GITLAB', rules: [ruleWith()] }))

  assert.ok(!compiled.ok)
  assert.equal(compiled.problems[0]?.code, 'policy_too_large')
})
