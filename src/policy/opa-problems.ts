import type { PolicyProblem } from './policy-problem.ts'
import { hintFor, plainMessage } from './problem-hints.ts'

type OpaError = {
  readonly code: string
  readonly message: string
  readonly location?: { readonly file: string; readonly row: number; readonly col: number }
  readonly details?: { readonly oneOf?: readonly unknown[] | null } | null
}

const MAX_PROBLEMS = 20

/** Reads what `opa check --format=json` says on standard error; what is no such JSON becomes one problem. */
export function readProblems(stderr: string): readonly PolicyProblem[] {
  const errors = parseErrors(stderr)
  if (errors === undefined || errors.length === 0) return [unplaced(stderr)]
  return withoutRepeats(errors.map(problemOf)).slice(0, MAX_PROBLEMS)
}

/** Where a line cannot be read, what else is wrong with it follows from that. */
function withoutRepeats(problems: readonly PolicyProblem[]): readonly PolicyProblem[] {
  const unread = problems.filter(({ code }) => code === 'rego_parse_error')
  return problems.filter((problem) => {
    const first = unread.find(({ file, row }) => file === problem.file && row === problem.row)
    return first === undefined || first === problem
  })
}

/** Reads the lines `FILE:ROW: CODE: MESSAGE` that `opa build` prints; without any, its first line is the problem. */
export function readProblemLines(output: string): readonly PolicyProblem[] {
  const found = [...output.matchAll(/^(?:error: )?(?:\.\/)?(\S+\.rego):(\d+): (\w+): (.*)$/gm)]
  if (found.length === 0) return [unplaced(output)]
  return found.slice(0, MAX_PROBLEMS).map(([, file = '', row = '1', code = '', message = '']) => ({
    code,
    message,
    file,
    row: Math.max(1, Number(row)),
    column: 1,
  }))
}

function parseErrors(text: string): readonly OpaError[] | undefined {
  try {
    const errors: unknown = JSON.parse(text)?.errors
    return Array.isArray(errors) ? errors : undefined
  } catch {
    return undefined
  }
}

function problemOf({ code, message, location, details }: OpaError): PolicyProblem {
  const hint = hintFor(message, details?.oneOf ?? [])
  return {
    code: String(code),
    message: oneLine(plainMessage(String(message))),
    ...(hint === undefined ? {} : { hint }),
    file: (location?.file ?? '').replace(/^\.\//, ''),
    row: Math.max(1, location?.row ?? 1),
    column: Math.max(1, location?.col ?? 1),
  }
}

function unplaced(output: string): PolicyProblem {
  const message = oneLine(output.replace(/^error: /, '').slice(0, 300)) || 'The compiler gave no reason.'
  return { code: 'policy_not_compiled', message, file: '', row: 1, column: 1 }
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim()
}
