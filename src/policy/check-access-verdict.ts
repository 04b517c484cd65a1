import { ACCESS_REASONS, type AccessGrant, type AccessVerdict } from './access-verdict.ts'
import { hasExactly, listOf, text } from './check-shape.ts'

/**
 * Takes what the policy of access decisions answered for a verdict only if it is exactly one, and agrees with itself.
 * Returns it with its members in one order, so that equal verdicts are equal texts; undefined for anything else.
 */
export function checkAccessVerdict(answer: unknown): AccessVerdict | undefined {
  if (!hasExactly(answer, ['allow', 'reason', 'grants', 'missing'])) return undefined
  const { allow } = answer
  const reason = ACCESS_REASONS.find((known) => known === answer.reason)
  const grants = listOf(answer.grants, checkGrant)
  const missing = checkMissing(answer.missing)
  if (typeof allow !== 'boolean' || reason === undefined || grants === undefined || missing === undefined) {
    return undefined
  }
  if (allow !== grants.length > 0 || allow !== (reason === 'allowed')) return undefined
  if (allow && missing.roles.length + missing.grants.length > 0) return undefined
  return { allow, reason, grants, missing }
}

function checkMissing(answer: unknown): AccessVerdict['missing'] | undefined {
  if (!hasExactly(answer, ['on', 'roles', 'grants'])) return undefined
  const { on } = answer
  const roles = listOf(answer.roles, text)
  const grants = listOf(answer.grants, checkGrant)
  if (typeof on !== 'string' || roles === undefined || grants === undefined) return undefined
  return { on, roles, grants }
}

function checkGrant(answer: unknown): AccessGrant | undefined {
  if (!hasExactly(answer, ['role', 'from', 'rule', 'on'])) return undefined
  const { role, from, rule, on } = answer
  if (typeof role !== 'string' || typeof rule !== 'string' || typeof on !== 'string') return undefined
  return from === 'rule' || from === 'member' ? { role, from, rule, on } : undefined
}
