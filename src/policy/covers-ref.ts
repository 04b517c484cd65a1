import { matchesStars } from '../fields/matches-stars.ts'
import type { RefPattern, Rule } from '../identity/rule.ts'

/** Whether a rule's refs have one that covers a branch or tag of this name; empty refs cover every one. */
export function coversRef({ refs }: Rule, type: RefPattern['type'], name: string): boolean {
  return refs.length === 0 || refs.some((ref) => ref.type === type && covers(ref, name))
}

function covers({ pattern }: RefPattern, name: string): boolean {
  const isOpen = pattern.endsWith('/**')
  const wanted = (isOpen ? pattern.slice(0, -3) : pattern).split('/')
  const segments = name.split('/')
  if (segments.includes('')) return false
  if (isOpen ? segments.length <= wanted.length : segments.length !== wanted.length) return false
  return wanted.every((part, index) => matchesStars(part, segments[index] ?? ''))
}
