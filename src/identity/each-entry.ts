import { setImmediate } from 'node:timers/promises'
import { FieldError, RequestError } from '../errors.ts'
import type { EntryProblem } from './identity-changes.ts'

/** What is in hand at a time: the compiler runs two, and a query takes less. */
const AT_ONCE = 4

/**
 * Does the same with each of many entries, some at a time and with room between for others' requests. Throws
 * `invalid_argument` with what is wrong with any of them, all at once (`permission_denied` where that is among it), or
 * `failed_precondition` where it is findings alone; a fault ends it.
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
  const [details] = error.details as readonly [Partial<Pick<EntryProblem, 'problems' | 'findings'>>?]
  // A refused policy carries what the compiler says of it, and one that BLOCK_FINDINGS refuses its findings.
  const { problems = [], findings = [] } = details ?? {}
  return { index, email, field, message, code: error.code, problems, findings }
}

/** Where findings alone are in the way it is refused as a single save is: the same findings, each with its place. */
function entriesError(problems: readonly EntryProblem[]): RequestError {
  const [first] = problems
  const more = problems.length === 1 ? '' : `, and ${problems.length - 1} more problems`
  const where = first?.field === '' ? '' : `${first?.field} `
  const message = `${first?.email}: ${where}${first?.message}${more}`
  if (problems.every(({ findings }) => findings.length > 0)) {
    const findings = problems.flatMap(({ index, email, findings: found }) =>
      found.map((finding) => ({ index, email, ...finding })),
    )
    return new RequestError('failed_precondition', message, { details: [{ findings }] })
  }
  const isForbidden = problems.some(({ code }) => code === 'permission_denied')
  return new RequestError(isForbidden ? 'permission_denied' : 'invalid_argument', message, {
    details: [{ problems: problems.map(({ code: _, findings: __, ...told }) => told) }],
  })
}
