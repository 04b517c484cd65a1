import type { TextProblem } from './find-text-problem.ts'

/**
 * Finds in a test's claims what cannot be kept as it is. Any text may stand there, control characters too, as in a token;
 * but a member `__proto__` vanishes in many an object, and a number that is too large is another one once it is stored.
 */
export function findClaimProblem(claims: unknown, path: readonly PropertyKey[]): TextProblem | undefined {
  if (typeof claims === 'number' && !Number.isFinite(claims))
    return { path, message: 'is a number that is too large' }
  if (typeof claims !== 'object' || claims === null) return undefined
  for (const [name, value] of Object.entries(claims)) {
    const at = [...path, Array.isArray(claims) ? Number(name) : name]
    const problem =
      name === '__proto__' ? { path: at, message: 'is no name of a claim' } : findClaimProblem(value, at)
    if (problem !== undefined) return problem
  }
  return undefined
}
