import { coversRefName } from '../fields/covers-ref-name.ts'
import type { RefPattern, Rule } from '../identity/rule.ts'

/** Whether a rule's refs have one that covers a branch or tag of this name; empty refs cover every one. */
export function coversRef({ refs }: Rule, type: RefPattern['type'], name: string): boolean {
  return refs.length === 0 || refs.some((ref) => ref.type === type && coversRefName(ref.pattern, name))
}
