import { randomUUID } from 'node:crypto'
import { createEvaluator, type EvaluationResult } from './evaluate.ts'

/** Runs a policy that is about to be saved on some inputs: what each of them gives, up to the first that fails. */
export type SmokeRun = (
  wasm: Uint8Array,
  inputTexts: readonly string[],
  kind?: 'identity' | 'guardrails',
) => Promise<readonly EvaluationResult[]>

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
        for (const inputText of inputTexts) {
          const result = await evaluate(name, inputText)
          results.push(result)
          if (!result.ok) break
        }
        return results
      } finally {
        candidates.delete(name)
      }
    },
    close: () => evaluator.close(),
  }
}
