import type { PreparePolicy } from '../policy/prepare-policy.ts'

/**
 * Prepares equal rules once at a time: of many identities that are planned together, some are alike and none is stored
 * yet. Whoever waited asks again, for what is remembered: of a thousand policies the WASM would take 150 MB.
 */
export function onceEachPolicy(preparePolicy: PreparePolicy): PreparePolicy {
  const prepared = new Map<string, Promise<unknown>>()
  return async ({ providerType, rules, conditions = '' }) => {
    const source = { providerType, rules, conditions }
    const key = JSON.stringify(source)
    const first = prepared.get(key)
    if (first !== undefined) {
      await first
      return preparePolicy(source)
    }
    const policy = preparePolicy(source)
    const ended = () => undefined
    prepared.set(key, policy.then(ended, ended))
    return policy
  }
}
