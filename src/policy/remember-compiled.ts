import { LRUCache } from 'lru-cache'
import type { CompiledPolicy, PolicyCompiler } from './compile-policy.ts'

/** Some 150 kB each: what people are writing at the moment. */
const MAX_COMPILED = 50

/** Remembers what was compiled last: a policy is validated again and again before it is saved, and stored only then. */
export function rememberCompiled(compiler: PolicyCompiler): PolicyCompiler {
  const compiled = new LRUCache<string, CompiledPolicy>({ max: MAX_COMPILED })
  return {
    ...compiler,
    async compile(policy) {
      const known = compiled.get(policy.digest)
      if (known !== undefined) return known
      const result = await compiler.compile(policy)
      // A refusal is not kept: a compiler that took too long may do better when the machine is less busy.
      if (result.ok) compiled.set(policy.digest, result)
      return result
    },
  }
}
