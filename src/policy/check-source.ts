import type { PolicyProblem } from './policy-problem.ts'

const MAX_NESTING = 50 // what people write has five; the compiler takes minutes for some thousands
/**
 * Each part of an expression is written out again for each bracket and operator around it: as many characters, counted so
 * often, take the compiler half a second. What people write has some ten thousand.
 */
const MAX_WORK = 1_000_000
/** What a short part takes none the less. */
const LEAST_PART = 8

const PARTS =
  /\$?"(?:[^"\\\n]|\\.)*"|\$?`[^`]*`|#[^\n]*|[([{]|[)\]}]|[,;\n]|[:=!<>]=|[-+*/%&|=<>]|[\p{L}\p{N}_.]+/gu
const OPERATOR = /^(?:[:=!<>]=|[-+*/%&|=<>]|in)$/

/** What a Rego text must not have, which is found out before anything parses it. */
export function sourceProblem(file: string, source: string): PolicyProblem | undefined {
  return characterProblem(file, source) ?? workProblem(file, source)
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

/** An expression within brackets, or outside of all: how long it is by now, and how many operators it has. */
type Level = { length: number; operators: number; whole: number }

/** Finds what takes the compiler long, without it: deep nesting, and long text among many operators or brackets. */
function workProblem(file: string, source: string): PolicyProblem | undefined {
  const levels: Level[] = [{ length: 0, operators: 0, whole: 0 }]
  let work = 0
  let templates = 0
  let [isNewLine, isOpen] = [false, false]
  const end = (level: Level) => {
    work += level.length * level.operators
    level.whole += level.length
    level.length = 0
    level.operators = 0
  }
  for (const { 0: part, index } of source.matchAll(PARTS)) {
    if (part.startsWith('#')) continue
    if (part === '\n') {
      isNewLine = true
      continue
    }
    const level = levels.at(-1) ?? levels[0]
    if (level === undefined) return undefined
    const isOperator = OPERATOR.test(part)
    // An expression goes on in the next line where an operator ends this one or begins that.
    if (isNewLine && !isOpen && !isOperator) end(level)
    isNewLine = false
    isOpen = isOperator
    level.length += Math.max(part.length, LEAST_PART)
    if (isOperator) level.operators++
    else if (part === ',' || part === ';') end(level)
    else if ('([{'.includes(part)) {
      levels.push({ length: 0, operators: 0, whole: 0 })
      isOpen = true
    } else if (')]}'.includes(part) && levels.length > 1) {
      end(level)
      levels.pop()
      work += level.whole
      const outer = levels.at(-1)
      if (outer !== undefined) outer.length += level.whole
    }
    // Their braces are not told from text here, so that each may stand within all others.
    if (part.startsWith('$')) templates++
    if (levels.length - 1 > MAX_NESTING) return nestedTooDeeply(file, placeAt(source, index))
    const open = levels.reduce((sum, { length, operators, whole }) => sum + length * operators + whole, 0)
    if (work + open + (templates > 1 ? templates * source.length : 0) > MAX_WORK)
      return tooIntricate(file, placeAt(source, index))
  }
  return undefined
}

function nestedTooDeeply(file: string, place: Pick<PolicyProblem, 'row' | 'column'>): PolicyProblem {
  return {
    code: 'nested_too_deeply',
    message: `There are more than ${MAX_NESTING} brackets in one another.`,
    hint: 'Split what stands inside one another into rules of their own.',
    file,
    ...place,
  }
}

function tooIntricate(file: string, place: Pick<PolicyProblem, 'row' | 'column'>): PolicyProblem {
  return {
    code: 'too_intricate',
    message:
      'The module has too much text among many operators, brackets or templates to be compiled in time.',
    hint: 'Split long expressions into rules of their own, or compare with a set of values.',
    file,
    ...place,
  }
}

function placeAt(source: string, index: number): { readonly row: number; readonly column: number } {
  const before = source.slice(0, index).split('\n')
  return { row: before.length, column: (before.at(-1) ?? '').length + 1 }
}
