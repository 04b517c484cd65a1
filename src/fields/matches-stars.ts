/**
 * Whether a text is what a pattern says, in which `*` is any text, none too: its parts must follow one another, the
 * first and last at the ends. Without a regular expression, which many stars would keep busy for ever.
 */
export function matchesStars(pattern: string, text: string): boolean {
  const [first = '', ...parts] = pattern.split('*')
  const last = parts.pop()
  if (last === undefined) return text === first
  let position = first.length
  for (const part of parts) {
    const found = text.indexOf(part, position)
    if (found < 0) return false
    position = found + part.length
  }
  return text.startsWith(first) && text.endsWith(last) && position <= text.length - last.length
}
