import { matchesStars } from './matches-stars.ts'

/** Whether a ref pattern covers the name of a branch or tag: `*` stays within a segment, a last `/**` is everything below. */
export function coversRefName(pattern: string, name: string): boolean {
  const isOpen = pattern.endsWith('/**')
  const wanted = (isOpen ? pattern.slice(0, -3) : pattern).split('/')
  const segments = name.split('/')
  if (segments.includes('')) return false
  if (isOpen ? segments.length <= wanted.length : segments.length !== wanted.length) return false
  return wanted.every((part, index) => matchesStars(part, segments[index] ?? ''))
}
