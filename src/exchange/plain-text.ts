import type { JsonValue } from '../json.ts'

/**
 * Makes a text safe for an answer that a job's script echoes unquoted through `sh` (`echo $RESPONSE`): no backslash
 * in its JSON, because dash's echo would act on it; one line, without control characters, which JSON writes with a
 * backslash and a terminal obeys; and no word that the shell could take for a pattern of file names.
 */
export function plainText(text: string): string {
  return oneLine(text.toWellFormed())
    .replaceAll('\\', '\u{FFFD}')
    .replaceAll('"', "'")
    .replace(/\S+/g, quotePattern)
}

/** Leaves out of a text what breaks lines, commands a terminal or turns the direction of what is read. */
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029\u202A-\u202E\u2066-\u2069]+/gu, ' ')
}

/** `plainText` for every text and name in a value that becomes (part of) such an answer. */
export function plainJson(value: JsonValue): JsonValue {
  if (typeof value === 'string') return plainText(value)
  if (typeof value !== 'object' || value === null) return value
  if (isList(value)) return value.map(plainJson)
  // Object.fromEntries makes an own member even of `__proto__`.
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [plainText(name), plainJson(member)]),
  )
}

/** Puts a word in single quotes, unless what the shell would expand stands in them; few files' names have quotes. */
function quotePattern(word: string): string {
  if (!/[*?[]/.test(word) || !/[*?[']/.test(word.replace(/'[^']*'/g, ''))) return word
  let start = 0
  let end = word.length
  while (start < end && '(,;:'.includes(word.charAt(start))) start++
  while (end > start && '.,;:!)'.includes(word.charAt(end - 1))) end--
  const core = word.slice(start, end)
  const inner = core.length > 2 && core.startsWith("'") && core.endsWith("'") ? core.slice(1, -1) : core
  return `${word.slice(0, start)}'${inner.replaceAll("'", '’')}'${word.slice(end)}`
}

function isList(value: object): value is readonly JsonValue[] {
  return Array.isArray(value)
}
