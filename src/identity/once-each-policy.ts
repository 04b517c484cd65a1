import type { PreparePolicy } from '../policy/prepare-policy.ts'

/** Prepares equal rules once: of many identities that are planned together, some are alike and none is stored yet. */
export function onceEachPolicy(preparePolicy: PreparePolicy): PreparePolicy {
  const prepared = new Map<string, ReturnType<PreparePolicy>>()
  return (rules) => {
    const key = JSON.stringify(rules)
    const known = prepared.get(key)
    if (known !== undefined) return known
    // Without its WASM, of which a thousand would take 150 MB.
    const policy = preparePolicy(rules).then(({ digest }) => ({ digest }))
    prepared.set(key, policy)
    return policy
  }
}
