import type { Clock } from '../clock.ts'
import { createMinuteTallies, MAX_COUNT } from '../db/minute-tallies.ts'
import type { Log } from '../log.ts'
import type { RefusedRow } from './change-store.ts'

/** A call that a caller who is known was refused. `code` is google.rpc's number. */
export type RefusedAttempt = {
  readonly author: string
  readonly verb: string
  readonly resource: string
  readonly code: number
  readonly message: string
  readonly requestId: string
  readonly callerIp: string
}

export type RefusalRecorder = AsyncDisposable & {
  /** Resolves once the row is committed, or the attempt counted where its author has too many. Throws `unavailable`. */
  record(attempt: RefusedAttempt): Promise<void>
  /** Writes what could not be written before, and the counts of a minute that is over. Never throws. */
  flush(): Promise<void>
}

/** Rows in a minute: of one author, and of all. What is beyond is counted. */
export const MAX_ROWS = 30
const MAX_ROWS_IN_ALL = 1_000
/** Some thousand bytes each: authors are few, as administrators make them, but what they try is theirs to choose. */
const MAX_TALLIES = 1_000

type Tally = { readonly first: RefusedAttempt; count: number }
type Deps = {
  readonly insertRefusals: (rows: readonly RefusedRow[]) => Promise<void>
  readonly newId: (timeMs: number) => string
  /** Counts one more of a key within its minute, and tells how many that makes. */
  readonly countInMinute: (key: string) => number
  readonly clock: Clock
  readonly log: Log
}

/**
 * Records refused attempts, each in a row of its own up to a number in a minute; beyond it one row for each author,
 * verb and code, which shows the first of them and says how many there were, when the minute is over or the service
 * ends. So nobody fills the table by trying.
 */
export function createRefusalRecorder(deps: Deps): RefusalRecorder {
  const tallies = createMinuteTallies({
    ...deps,
    what: 'refused attempts',
    maxTallies: MAX_TALLIES,
    insert: deps.insertRefusals,
    rowOf: ({ first, count }: Tally) => rowOf(first, count),
  })

  function rowOf(attempt: RefusedAttempt, count: number): RefusedRow {
    const createTime = deps.clock()
    return { ...attempt, id: deps.newId(createTime), count, createTime }
  }

  function tally(attempt: RefusedAttempt): void {
    const key = [attempt.author, attempt.verb, attempt.code].join(' ')
    const make = () => ({ first: attempt, count: 0 })
    const entry = tallies.tallyOf(key, make, { key: '', make })
    entry.count = Math.min(entry.count + 1, MAX_COUNT)
  }

  return {
    async record(attempt) {
      const keepsRow =
        deps.countInMinute(attempt.author) <= MAX_ROWS && deps.countInMinute('') <= MAX_ROWS_IN_ALL
      if (keepsRow) await deps.insertRefusals([rowOf(attempt, 1)])
      else tally(attempt)
    },
    flush: tallies.flush,
    [Symbol.asyncDispose]: () => tallies[Symbol.asyncDispose](),
  }
}
