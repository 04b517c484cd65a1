/** What is wrong in a file of a policy folder; line and column count from 1. */
export type FileProblem = {
  readonly file: string
  readonly line: number
  readonly column: number
  /** As one reads it, for example `rules[0].refs[1].pattern`; empty where it is about no field. */
  readonly field: string
  readonly message: string
}

/** A problem on one line, as compilers and editors know it. */
export function showFileProblem({ file, line, column, field, message }: FileProblem): string {
  return `${file}:${line}:${column}: ${field === '' ? '' : `${field}: `}${message}`
}

/** In the order in which one mends them. */
export function sortFileProblems(problems: readonly FileProblem[]): readonly FileProblem[] {
  return problems.toSorted(
    (a, b) => (a.file < b.file ? -1 : Number(a.file > b.file)) || a.line - b.line || a.column - b.column,
  )
}
