import type { RefPattern, Rule } from '../identity/rule.ts'
import type { JsonObject, JsonValue } from '../json.ts'

/** Paths are of ASCII; what Unicode folds onto one is another path. */
export function folded(path: string): string {
  return path.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
}

/** What a `ref_type` stands for, and how the full names of such refs begin. */
export function refKind(
  refType: JsonValue | undefined,
): { readonly type: RefPattern['type']; readonly prefix: string } | undefined {
  if (refType === 'branch') return { type: 'BRANCH', prefix: 'refs/heads/' }
  return refType === 'tag' ? { type: 'TAG', prefix: 'refs/tags/' } : undefined
}

/** Whether a rule covers a branch or tag of this name; where it names none it covers all. */
export function coversRef({ refs }: Rule, type: RefPattern['type'], name: string): boolean {
  return refs.length === 0 || refs.some((ref) => ref.type === type && covers(ref.pattern, name))
}

/** Whether a claim is what a rule asks for; a rule without values asks for nothing. */
export function isOneOf(value: JsonValue | undefined, wanted: readonly string[]): boolean {
  return wanted.length === 0 || wanted.some((text) => text === value)
}

export function hasNamedClaims(claims: JsonObject, rule: Rule): boolean {
  return Object.entries(rule.claims).every(([name, values]) => values.some((value) => value === claims[name]))
}

function covers(pattern: string, name: string): boolean {
  const isOpen = pattern.endsWith('/**')
  const wanted = (isOpen ? pattern.slice(0, -3) : pattern).split('/')
  const segments = name.split('/')
  if (segments.includes('')) return false
  if (isOpen ? segments.length <= wanted.length : segments.length !== wanted.length) return false
  return wanted.every((part, index) => coversSegment(part, segments[index] ?? ''))
}

/** Without a regular expression, which many stars would keep busy for ever. */
function coversSegment(wanted: string, segment: string): boolean {
  const [start = '', ...rest] = wanted.split('*')
  const end = rest.pop()
  if (end === undefined) return segment === start
  let position = start.length
  for (const part of rest) {
    const found = segment.indexOf(part, position)
    if (found < 0) return false
    position = found + part.length
  }
  return segment.startsWith(start) && segment.endsWith(end) && position <= segment.length - end.length
}
