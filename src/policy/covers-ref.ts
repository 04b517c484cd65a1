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
