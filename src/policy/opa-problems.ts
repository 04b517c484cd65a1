import { distance } from 'fastest-levenshtein'
import type { PolicyProblem } from './policy-problem.ts'

type OpaError = {
  readonly code: string
  readonly message: string
  readonly location?: { readonly file: string; readonly row: number; readonly col: number }
  readonly details?: { readonly oneOf?: readonly unknown[] }
}

const MAX_PROBLEMS = 20

/** Reads what `opa check --format=json` says on standard error; what is no such JSON becomes one problem. */
export function readProblems(stderr: string): readonly PolicyProblem[] {
  const errors = parseErrors(stderr)
  if (errors === undefined || errors.length === 0) return [unplaced(stderr)]
  return errors.slice(0, MAX_PROBLEMS).map(problemOf)
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
  const hint = hintFor(message, details?.oneOf)
  return {
    code: String(code),
    message: oneLine(String(message)),
    ...(hint === undefined ? {} : { hint }),
    file: (location?.file ?? '').replace(/^\.\//, ''),
    row: Math.max(1, location?.row ?? 1),
    column: Math.max(1, location?.col ?? 1),
  }
}

/** For a name that the schema does not have, the nearest that it has. */
function hintFor(message: string, oneOf: readonly unknown[] | undefined): string | undefined {
  const given = /^undefined ref: \S*?([A-Za-z0-9_]+)(?:\[.*)?$/.exec(message)?.[1]
  if (given === undefined || oneOf === undefined) return undefined
  const names = oneOf.filter((name) => typeof name === 'string')
  const near = names.toSorted((a, b) => distance(a, given) - distance(b, given))[0]
  if (near === undefined || distance(near, given) > Math.max(2, given.length / 3)) return undefined
  return `Did you mean ${near}?`
}

function unplaced(output: string): PolicyProblem {
  const message = oneLine(output.replace(/^error: /, '').slice(0, 300)) || 'The compiler gave no reason.'
  return { code: 'policy_not_compiled', message, file: '', row: 1, column: 1 }
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim()
}
