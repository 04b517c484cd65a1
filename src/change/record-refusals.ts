import type { Clock } from '../clock.ts'
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
const MINUTE_MS = 60_000
/** How often it is looked whether a minute is over when no further attempt comes. */
const LOOK_EVERY_MS = 1_000
/** The column's largest number. */
const MAX_COUNT = 2_147_483_647
/** Some thousand bytes each: authors are few, as administrators make them, but what they try is theirs to choose. */
const MAX_TALLIES = 1_000

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
  const tallies = new Map<string, { readonly first: RefusedAttempt; count: number }>()
  let countedSince = 0
  let unwritten: readonly RefusedRow[] = []
  let writing: Promise<void> | undefined

  const timer = setInterval(() => void flush(), LOOK_EVERY_MS)
  timer.unref()

  function rowOf(attempt: RefusedAttempt, count: number): RefusedRow {
    const createTime = deps.clock()
    return { ...attempt, id: deps.newId(createTime), count, createTime }
  }

  function tally(attempt: RefusedAttempt): void {
    const known = [attempt.author, attempt.verb, attempt.code].join(' ')
    const key = tallies.has(known) || tallies.size < MAX_TALLIES ? known : ''
    if (tallies.size === 0) countedSince = deps.clock()
    const entry = tallies.get(key) ?? { first: attempt, count: 0 }
    entry.count = Math.min(entry.count + 1, MAX_COUNT)
    tallies.set(key, entry)
  }

  function write(): Promise<void> {
    writing ??= insertUnwritten()
    return writing
  }

  async function insertUnwritten(): Promise<void> {
    try {
      await deps.insertRefusals(unwritten)
      unwritten = []
    } catch (error) {
      const { message } = error as Error
      deps.log.error({ rows: unwritten.length, error: message }, 'refused attempts are not recorded yet')
    } finally {
      writing = undefined
    }
  }

  async function flush(isLast = false): Promise<void> {
    if (unwritten.length > 0) await write()
    const age = deps.clock() - countedSince
    const isOver = isLast || age >= MINUTE_MS || age < 0
    if (tallies.size === 0 || unwritten.length > 0 || !isOver) return
    unwritten = [...tallies.values()].map(({ first, count }) => rowOf(first, count))
    tallies.clear()
    await write()
  }

  return {
    async record(attempt) {
      const keepsRow =
        deps.countInMinute(attempt.author) <= MAX_ROWS && deps.countInMinute('') <= MAX_ROWS_IN_ALL
      if (keepsRow) await deps.insertRefusals([rowOf(attempt, 1)])
      else tally(attempt)
    },
    flush: () => flush(),
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      await flush(true)
    },
  }
}
