import { randomUUID } from 'node:crypto'
import { createEvaluator, type EvaluationResult } from './evaluate.ts'

/**
 * Runs an identity's policy, guardrails, or both beside each other on some inputs before they are saved: what each
 * input gives, and no more soon after one that fails. At least one of the two is given.
 */
export type SmokeRun = (
  wasm: Uint8Array | undefined,
  inputTexts: readonly string[],
  guardrailsWasm?: Uint8Array,
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
    async run(wasm, inputTexts, guardrailsWasm) {
      const names: string[] = []
      const named = (bytes: Uint8Array | undefined) => {
        if (bytes === undefined) return undefined
        const name = randomUUID()
        candidates.set(name, bytes)
        names.push(name)
        return name
      }
      const [name, guardrails] = [named(wasm), named(guardrailsWasm)]
      const evaluate = (inputText: string) =>
        name === undefined
          ? evaluator.evaluateGuardrails(guardrails ?? '', inputText)
          : evaluator.evaluate(name, inputText, guardrails)
      const results: EvaluationResult[] = []
      try {
        while (results.length < inputTexts.length && results.every(({ ok }) => ok)) {
          // The first goes alone: most policies that fail do so on any input.
          const next = inputTexts.slice(results.length, results.length + (results.length === 0 ? 1 : AT_ONCE))
          results.push(...(await Promise.all(next.map(evaluate))))
        }
        return results
      } finally {
        for (const each of names) candidates.delete(each)
      }
    },
    close: () => evaluator.close(),
  }
}
