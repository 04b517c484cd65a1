import { setImmediate } from 'node:timers/promises'
import { FieldError, RequestError } from '../errors.ts'
import type { EntryProblem } from './identity-changes.ts'

/** What is in hand at a time: the compiler runs two, and a query takes less. */
const AT_ONCE = 4

/**
 * Does the same with each of many entries, some at a time and with room between for others' requests. Throws
 * `invalid_argument` with what is wrong with any of them, all at once (`permission_denied` where that is among it); a
 * fault ends it.
 */
export async function eachEntry<Entry, Result>(
  entries: readonly Entry[],
  emailOf: (entry: Entry) => string,
  work: (entry: Entry) => Promise<Result>,
): Promise<readonly Result[]> {
  const results: Result[] = []
  const problems: EntryProblem[] = []
  const waiting = entries.entries()
  const worker = async () => {
    for (const [index, entry] of waiting) {
      await setImmediate()
      try {
        results[index] = await work(entry)
      } catch (error) {
        problems.push(problemOf(error, index, emailOf(entry)))
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  if (problems.length === 0) return results
  throw entriesError(problems.sort((a, b) => a.index - b.index))
}

function problemOf(error: unknown, index: number, email: string): EntryProblem {
  if (!(error instanceof RequestError) || error.code === 'unavailable') throw error
  const field = error instanceof FieldError ? error.field : ''
  const message = error instanceof FieldError ? error.problem : error.message
  const isForbidden = error.code === 'permission_denied'
  return { index, email, field, message, isForbidden, problems: problemsIn(error) }
}

/** A refused policy carries what the compiler says of it. */
function problemsIn({ details }: RequestError): readonly unknown[] {
  const [first] = details as readonly [{ readonly problems?: readonly unknown[] }?]
  return first?.problems ?? []
}

function entriesError(problems: readonly EntryProblem[]): RequestError {
  const [first] = problems
  const more = problems.length === 1 ? '' : `, and ${problems.length - 1} more problems`
  const where = first?.field === '' ? '' : `${first?.field} `
  const code = problems.some(({ isForbidden }) => isForbidden) ? 'permission_denied' : 'invalid_argument'
  return new RequestError(code, `${first?.email}: ${where}${first?.message}${more}`, {
    details: [{ problems: problems.map(({ isForbidden: _, ...told }) => told) }],
  })
}
