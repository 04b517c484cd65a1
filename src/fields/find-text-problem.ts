export type TextProblem = { readonly path: readonly PropertyKey[]; readonly message: string }

const MAX_DEPTH = 32 // far above any identity's, and low enough that no body exhausts the stack

/**
 * Finds the first text, name or nesting in a JSON value that must not be stored: what would break a line of a log,
 * an unquoted `echo` in a job's script or a person's reading of it, and what is not Unicode.
 */
export function findTextProblem(value: unknown, path: readonly PropertyKey[] = []): TextProblem | undefined {
  if (typeof value === 'string') {
    const message = textProblem(value)
    return message === undefined ? undefined : { path, message }
  }
  if (typeof value !== 'object' || value === null) return undefined
  if (path.length >= MAX_DEPTH) return { path, message: `is nested deeper than ${MAX_DEPTH} levels` }

  const members: [PropertyKey, unknown][] = Array.isArray(value)
    ? value.map((item, index) => [index, item])
    : Object.entries(value)
  for (const [name, member] of members) {
    const problem = nameProblem(name, path) ?? findTextProblem(member, [...path, name])
    if (problem !== undefined) return problem
  }
  return undefined
}

/** A member called `__proto__` vanishes in many an object; a condition must never vanish. */
function nameProblem(name: PropertyKey, path: readonly PropertyKey[]): TextProblem | undefined {
  if (typeof name !== 'string') return undefined
  if (name === '__proto__') return { path: [...path, name], message: 'is not a field' }
  const message = textProblem(name)
  return message === undefined ? undefined : { path: [...path, name], message: `has a name that ${message}` }
}

function textProblem(text: string): string | undefined {
  if (!text.isWellFormed()) return 'has half a surrogate pair, which is no Unicode text'
  const found = /[\p{Cc}\\\u2028\u2029\u202A-\u202E\u2066-\u2069]/u.exec(text)?.[0]
  if (found === undefined) return undefined
  if (found === '\\') return 'has a backslash: leave it out'
  const code = found.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')
  if (/\p{Cc}/u.test(found)) return `has a control character (U+${code}): leave it out`
  return `has ${/[\u2028\u2029]/.test(found) ? 'a line separator' : 'a character that turns the direction of text'} (U+${code}): leave it out`
}
