import { createEvaluator, type EvaluationResult } from './evaluate.ts'

/**
 * Runs a policy that is about to be saved on some inputs, in a worker of its own: what each of them gives, up to the
 * first that fails.
 */
export async function smokeRun(
  wasm: Uint8Array,
  inputTexts: readonly string[],
): Promise<readonly EvaluationResult[]> {
  const evaluator = createEvaluator({ loadWasm: async () => wasm, workers: 1 })
  const results: EvaluationResult[] = []
  try {
    for (const inputText of inputTexts) {
      const result = await evaluator.evaluate('smoke-run', inputText)
      results.push(result)
      if (!result.ok) break
    }
    return results
  } finally {
    await evaluator.close()
  }
}
