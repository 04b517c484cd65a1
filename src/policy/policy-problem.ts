/** What is wrong with a policy's source; `row` and `column` count from 1, and are 1 where no place is known. */
export type PolicyProblem = {
  readonly code: string
  readonly message: string
  readonly hint?: string
  readonly file: string
  readonly row: number
  readonly column: number
}

/** A problem in one line: what is wrong, and how to mend it. */
export function problemText({ message, hint }: PolicyProblem): string {
  if (hint === undefined) return message
  return `${message}${/[.!?…]$/.test(message) ? '' : '.'} ${hint}`
}
