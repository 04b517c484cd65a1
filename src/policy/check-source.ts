import type { PolicyProblem } from './policy-problem.ts'

const MAX_NESTING = 50 // what people write has five; the compiler takes minutes for some thousands

/** What a Rego text must not have, which is found out before anything parses it. */
export function sourceProblem(file: string, source: string): PolicyProblem | undefined {
  return characterProblem(file, source) ?? nestingProblem(file, source)
}

/** What reads otherwise than it looks, and what ends a text where it does not end. */
function characterProblem(file: string, source: string): PolicyProblem | undefined {
  const index = source.search(/[^\P{Cc}\n\r\t]|[\p{Cs}\ufeff\u2028\u2029\u202a-\u202e\u2066-\u2069]/u)
  if (index < 0) return undefined
  const code = source.charCodeAt(index).toString(16).toUpperCase().padStart(4, '0')
  return {
    code: 'character_refused',
    message: `The character U+${code} is refused: it is not seen, or makes text look like other text.`,
    hint: 'Take it out; it may have come in by copying.',
    file,
    ...placeAt(source, index),
  }
}

function nestingProblem(file: string, source: string): PolicyProblem | undefined {
  let depth = 0
  for (const { 0: token, index } of source.matchAll(/"(?:[^"\\\n]|\\.)*"|`[^`]*`|#[^\n]*|[([{]|[)\]}]/g)) {
    if ('([{'.includes(token)) depth++
    if (')]}'.includes(token)) depth--
    if (depth <= MAX_NESTING) continue
    return {
      code: 'nested_too_deeply',
      message: `There are more than ${MAX_NESTING} brackets in one another.`,
      hint: 'Split what stands inside one another into rules of their own.',
      file,
      ...placeAt(source, index),
    }
  }
  return undefined
}

function placeAt(source: string, index: number): { readonly row: number; readonly column: number } {
  const before = source.slice(0, index).split('\n')
  return { row: before.length, column: (before.at(-1) ?? '').length + 1 }
}
