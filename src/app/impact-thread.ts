import { type Impact, type ImpactQuery, measureImpact } from '../decision/measure-impact.ts'
import { providerOfModules } from '../policy/compile-policy.ts'
import { type BatchEvaluator, createBatchEvaluator } from '../policy/evaluate-batches.ts'
import type { StoredPolicy } from '../policy/policy-store.ts'
import type { Parts } from './parts.ts'

/** A thread of the lowest priority in which policies that are not in force are asked; it begins when it is needed. */
export type ImpactThread = {
  readonly measure: (query: ImpactQuery) => Promise<Impact>
  readonly evaluate: BatchEvaluator['evaluate']
  /** Ends what it is at, at once; what is asked next begins another. */
  readonly stop: () => Promise<void>
}

/** As for an exchange: what takes longer there gives no verdict here either. */
const DEADLINE_MS = 100
/** An identity's policy, the guardrails of the moment and those that are planned. */
const MAX_POLICIES = 3

/** `planned`: policies by digest that are not stored yet. */
export function createImpactThread(
  { policies, decisions, log }: Pick<Parts, 'policies' | 'decisions' | 'log'>,
  planned: ReadonlyMap<string, StoredPolicy> = new Map(),
): ImpactThread {
  let evaluator: BatchEvaluator | undefined
  const open = () =>
    createBatchEvaluator({
      loadCode: async (digest) => planned.get(digest)?.wasm ?? policies.loadCode(digest),
      log,
      workers: 1,
      deadlineMs: DEADLINE_MS,
      maxPolicies: MAX_POLICIES,
      isBackground: true,
    })
  const evaluate: BatchEvaluator['evaluate'] = (...asked) => {
    evaluator ??= open()
    return evaluator.evaluate(...asked)
  }
  const findProvider = async (digest: string) => {
    const policy = planned.get(digest)
    if (policy === undefined) return policies.findProvider(digest)
    return providerOfModules(policy.modules.map(({ path }) => path))
  }
  const stop = async () => {
    const stopped = evaluator
    evaluator = undefined
    await stopped?.close()
  }
  return {
    async measure(query) {
      const end = () => void stop()
      query.signal.addEventListener('abort', end)
      try {
        return await measureImpact({ evaluate, findProvider, decisions }, query)
      } finally {
        query.signal.removeEventListener('abort', end)
      }
    },
    evaluate,
    stop,
  }
}
