import { randomUUID } from 'node:crypto'
import { createEvaluator, type EvaluationResult } from './evaluate.ts'

/** Runs a policy that is about to be saved on some inputs: what each gives, and no more soon after one that fails. */
export type SmokeRun = (
  wasm: Uint8Array,
  inputTexts: readonly string[],
  kind?: 'identity' | 'guardrails',
) => Promise<readonly EvaluationResult[]>

/** As many as share a message to the worker: each that has to be stopped takes 100 ms, and an answer has 8 s. */
const AT_ONCE = 20

/** Makes smoke runs in a worker that serves no exchange; it stays, as starting one takes longer than compiling. */
export function createSmokeRunner(): { run: SmokeRun; close(): Promise<void> } {
  const candidates = new Map<string, Uint8Array>()
  const evaluator = createEvaluator({
    loadWasm: async (name) => candidates.get(name),
    workers: 1,
    maxPolicies: 10,
  })
  return {
    async run(wasm, inputTexts, kind = 'identity') {
      const name = randomUUID()
      candidates.set(name, wasm)
      const results: EvaluationResult[] = []
      const evaluate = kind === 'identity' ? evaluator.evaluate : evaluator.evaluateGuardrails
      try {
        while (results.length < inputTexts.length && results.every(({ ok }) => ok)) {
          // The first goes alone: most policies that fail do so on any input.
          const next = inputTexts.slice(results.length, results.length + (results.length === 0 ? 1 : AT_ONCE))
          results.push(...(await Promise.all(next.map((inputText) => evaluate(name, inputText)))))
        }
        return results
      } finally {
        candidates.delete(name)
      }
    },
    close: () => evaluator.close(),
  }
}
