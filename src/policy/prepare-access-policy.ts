import type { PolicyCompiler } from './compile-policy.ts'
import type { PolicyStore } from './policy-store.ts'
import type { PreparedPolicy } from './prepare-policy.ts'

/** The policy of access decisions, compiled where it is not stored yet. Throws where it does not compile. */
export async function prepareAccessPolicy(deps: {
  readonly compiler: PolicyCompiler
  readonly policies: Pick<PolicyStore, 'has'>
}): Promise<PreparedPolicy> {
  const gathered = deps.compiler.gatherAccess()
  const { digest, compiler, entrypoint, modules } = gathered
  if (await deps.policies.has(digest)) return { digest }
  const compiled = await deps.compiler.compile(gathered)
  if (!compiled.ok) {
    throw new Error(
      `The policy of access decisions does not compile: ${compiled.problems.map(({ message }) => message).join(' ')}`,
    )
  }
  return { digest, policy: { digest, compiler, entrypoint, modules, wasm: compiled.wasm } }
}
