import { randomUUID } from 'node:crypto'
import { createEvaluator, type EvaluationResult, type Evaluator } from './evaluate.ts'
import type { PolicyCode } from './policy-code.ts'

/**
 * Runs an identity's policy, guardrails, or both beside each other on some inputs before they are saved: what each
 * input gives, and no more soon after one that fails. At least one of the two is given.
 */
export type SmokeRun = (
  code: PolicyCode | undefined,
  inputTexts: readonly string[],
  guardrailsCode?: PolicyCode,
) => Promise<readonly EvaluationResult[]>

/** As many as share a message to the worker: each that has to be stopped takes 100 ms, and an answer has 8 s. */
const AT_ONCE = 20

/** Whoever writes a policy tries it again and again; the worker and what it keeps are some 40 MB. */
const IDLE_AFTER_MS = 30_000

/** Makes smoke runs in a worker that serves no exchange; it stays for as long as people try things out. */
export function createSmokeRunner(idleAfterMs = IDLE_AFTER_MS): { run: SmokeRun; close(): Promise<void> } {
  const candidates = new Map<string, PolicyCode>()
  let current: Evaluator | undefined
  let running = 0
  let idle: NodeJS.Timeout | undefined

  function begin(): Evaluator {
    running++
    clearTimeout(idle)
    current ??= createEvaluator({
      loadCode: async (name) => candidates.get(name),
      workers: 1,
      maxPolicies: 10,
    })
    return current
  }

  function end(): void {
    running--
    if (running === 0) idle = setTimeout(close, idleAfterMs).unref()
  }

  async function close(): Promise<void> {
    clearTimeout(idle)
    const ending = current
    current = undefined
    await ending?.close()
  }

  return {
    close,
    async run(code, inputTexts, guardrailsCode) {
      const evaluator = begin()
      const names: string[] = []
      const named = (candidate: PolicyCode | undefined) => {
        if (candidate === undefined) return undefined
        const name = randomUUID()
        candidates.set(name, candidate)
        names.push(name)
        return name
      }
      const [name, guardrails] = [named(code), named(guardrailsCode)]
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
        end()
      }
    },
  }
}
