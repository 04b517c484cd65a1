import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { gunzipSync, gzipSync } from 'node:zlib'
import { createEvaluator } from '../../src/policy/evaluate.ts'
import { compressCode, decompressCode, wasmLength } from '../../src/policy/policy-code.ts'
import { inputWith, realCompiler, ruleWith } from './policy-world.ts'

describe("a policy's code", () => {
  let wasm: Uint8Array

  before(async () => {
    const compiler = await realCompiler()
    const compiled = await compiler.compile(compiler.gather({ provider: 'GITLAB', rules: [ruleWith()] }))
    assert.ok(compiled.ok)
    wasm = compiled.wasm
  })

  test('comes out as it was, from less than half the bytes', async () => {
    const code = await compressCode(wasm)

    assert.ok(code.byteLength < wasm.byteLength / 2, `${code.byteLength} of ${wasm.byteLength}`)
    assert.deepEqual(Buffer.from(decompressCode(code)), Buffer.from(wasm))
    assert.equal(wasmLength(code), wasm.byteLength)
    assert.deepEqual(gunzipSync(code), Buffer.from(wasm))
  })

  test('is what it is where it was stored uncompressed, and stays whole', () => {
    const stored = new Uint8Array(wasm)
    const code = decompressCode(stored)
    code.fill(0)

    assert.deepEqual(stored, new Uint8Array(wasm))
    assert.equal(wasmLength(stored), wasm.byteLength)
  })

  test('is in memory of its own, however little it is: whoever loads it frees that', () => {
    const { buffer } = decompressCode(gzipSync('hello'))

    assert.notEqual(buffer, Buffer.allocUnsafe(1).buffer)
    assert.equal(buffer.transfer(0).byteLength, 0)
    assert.equal(Buffer.from('what others have').toString(), 'what others have')
  })

  for (const [name, code] of [
    ['nothing', new Uint8Array()],
    ['the beginning of a gzip file', new Uint8Array([0x1f, 0x8b])],
    ['text that is compressed', new Uint8Array(gzipSync('hello'))],
    ['a gzip file that is cut off', new Uint8Array(gzipSync('hello').subarray(0, 12))],
  ] as const) {
    test(`${name} is no policy, and those after it are evaluated`, async () => {
      const evaluator = createEvaluator({
        loadCode: async (digest) => (digest === 'broken' ? code : wasm),
        workers: 1,
      })
      try {
        const broken = await evaluator.evaluate('broken', inputWith())
        const whole = await evaluator.evaluate('whole', inputWith())

        assert.deepEqual([broken.ok, !broken.ok && broken.reason], [false, 'policy_error'])
        assert.ok(whole.ok && whole.allow)
      } finally {
        await evaluator.close()
      }
    })
  }

  test('gives the same verdict compressed and not, and counts the same', async () => {
    const compressed = await compressCode(wasm)
    const evaluator = createEvaluator({
      loadCode: async (digest) => (digest === 'compressed' ? compressed : wasm),
      workers: 1,
    })
    try {
      const one = await evaluator.evaluate('as it is', inputWith())
      const { bytes } = evaluator.stats()
      const other = await evaluator.evaluate('compressed', inputWith())

      assert.ok(one.ok && one.allow)
      assert.deepEqual(other, one)
      assert.equal(evaluator.stats().bytes, bytes * 2)
    } finally {
      await evaluator.close()
    }
  })
})
