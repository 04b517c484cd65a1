export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject
export type JsonObject = { readonly [name: string]: JsonValue }

export type JsonLimits = { readonly maxDepth: number; readonly maxMembers: number }

/** `problem` continues a sentence ("The header …") and quotes nothing of the text. */
export type StrictJson =
  | { readonly ok: true; readonly value: JsonValue; readonly hasNonFiniteNumber: boolean }
  | { readonly ok: false; readonly problem: string }

/**
 * Parses JSON that means the same to every reader: no member twice (whatever its escapes), no half surrogate pair
 * and no U+0000 in a name or value, no byte order mark, bounded in depth (the outermost counts as 1) and in members
 * (of all its objects). A number too large for a double is let through as Infinity and reported.
 */
export function parseJsonStrictly(
  text: string,
  limits: JsonLimits = { maxDepth: 32, maxMembers: 500 },
): StrictJson {
  let value: JsonValue
  try {
    value = JSON.parse(text)
  } catch {
    return { ok: false, problem: 'is not JSON' }
  }
  const found = { members: 0, hasNonFiniteNumber: false }
  const problem = findProblem(value, limits.maxDepth, found)
  if (problem !== undefined) return { ok: false, problem }
  // JSON.parse keeps one member of each name, so that any more in the text were given twice.
  const written = countMembers(text)
  if (written > limits.maxMembers) return { ok: false, problem: `has more than ${limits.maxMembers} members` }
  if (written !== found.members) return { ok: false, problem: 'has a member twice' }
  return { ok: true, value, hasNonFiniteNumber: found.hasNonFiniteNumber }
}

/** Decodes UTF-8; undefined where the bytes are none. A byte order mark stays, for the parser to refuse. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

type Found = { members: number; hasNonFiniteNumber: boolean }

/** Walks a parsed value down to `depth` levels, counting what it meets. */
function findProblem(value: JsonValue, depth: number, found: Found): string | undefined {
  if (typeof value === 'string') return textProblem(value)
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) found.hasNonFiniteNumber = true
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  if (depth === 0) return 'is nested too deeply'
  if (!isJsonObject(value)) return firstProblem(value, depth - 1, found)
  const names = Object.keys(value)
  found.members += names.length
  return firstProblem(names, depth, found) ?? firstProblem(Object.values(value), depth - 1, found)
}

function firstProblem(values: readonly JsonValue[], depth: number, found: Found): string | undefined {
  for (const value of values) {
    const problem = findProblem(value, depth, found)
    if (problem !== undefined) return problem
  }
  return undefined
}

function textProblem(text: string): string | undefined {
  if (!text.isWellFormed()) return 'has half a surrogate pair, which is no Unicode text'
  return text.includes('\0') ? 'has a null character (U+0000)' : undefined
}

const QUOTE = 0x22
const COLON = 0x3a

/** Counts the members that a text which is known to be JSON spells out: a colon outside of a string each. */
function countMembers(text: string): number {
  let members = 0
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code === COLON) members++
    else if (code === QUOTE) index = endOfString(text, index + 1)
  }
  return members
}

/** The index of the quote that closes the string whose content begins at `start`. */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start)
  while (isEscaped(text, start, end)) end = text.indexOf('"', end + 1)
  return end
}

/** Whether an odd number of backslashes stands before a place in a string whose content begins at `start`. */
function isEscaped(text: string, start: number, end: number): boolean {
  let first = end
  while (first > start && text[first - 1] === '\\') first--
  return (end - first) % 2 === 1
}
