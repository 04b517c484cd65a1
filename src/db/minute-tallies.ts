import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'

export type MinuteTallies<Tally> = AsyncDisposable & {
  /**
   * What is counted under a key, to be counted in. Where there are as many as there may be, a further key's is that of
   * `rest`. `make` begins one.
   */
  tallyOf(key: string, make: () => Tally, rest: { readonly key: string; readonly make: () => Tally }): Tally
  /** Writes what could not be written before, and the counts of a minute that is over. Never throws. */
  flush(): Promise<void>
}

type Deps<Tally, Row> = {
  /** What is counted, for the log. */
  readonly what: string
  readonly maxTallies: number
  readonly rowOf: (tally: Tally) => Row
  /** Adds all rows or none; the same rows may come again where nobody knows whether they were added. */
  readonly insert: (rows: readonly Row[]) => Promise<void>
  readonly clock: Clock
  readonly log: Log
}

/** The largest number of the columns that keep counts. */
export const MAX_COUNT = 2_147_483_647
const MINUTE_MS = 60_000
/** How often it is looked whether a minute is over when nothing further is counted. */
const LOOK_EVERY_MS = 1_000

/**
 * Counts what gets no row of its own, and writes one row for each tally when a minute is over, or when it is disposed of.
 * Rows that cannot be written are tried again, while what comes meanwhile goes on being counted.
 */
export function createMinuteTallies<Tally, Row extends { readonly count: number }>(
  deps: Deps<Tally, Row>,
): MinuteTallies<Tally> {
  const tallies = new Map<string, Tally>()
  let countedSince = 0
  let unwritten: readonly Row[] = []
  let writing: Promise<void> | undefined

  const timer = setInterval(() => void flush(), LOOK_EVERY_MS)
  timer.unref()

  /** At once, so that what is counted next belongs to the next minute. */
  function closeMinute(isLast: boolean): boolean {
    const age = deps.clock() - countedSince
    const isOver = isLast || age >= MINUTE_MS || age < 0
    if (tallies.size === 0 || unwritten.length > 0 || !isOver) return false
    unwritten = [...tallies.values()].map(deps.rowOf)
    tallies.clear()
    return true
  }

  /** One at a time, or those would pile up that wait for a database which does not answer. */
  function write(): Promise<void> {
    writing ??= insertUnwritten()
    return writing
  }

  async function insertUnwritten(): Promise<void> {
    try {
      await deps.insert(unwritten)
      unwritten = []
    } catch (error) {
      const { message } = error as Error
      deps.log.error({ attempts: sumOf(unwritten), error: message }, `${deps.what} are not recorded yet`)
    } finally {
      writing = undefined
    }
  }

  async function flush(isLast = false): Promise<void> {
    if (unwritten.length > 0) await write()
    if (closeMinute(isLast)) await write()
  }

  return {
    tallyOf(key, make, rest) {
      if (closeMinute(false)) void write()
      const isRoom = tallies.has(key) || tallies.size < deps.maxTallies
      const [place, begin] = isRoom ? [key, make] : [rest.key, rest.make]
      if (tallies.size === 0) countedSince = deps.clock()
      const tally = tallies.get(place) ?? begin()
      tallies.set(place, tally)
      return tally
    },
    flush: () => flush(),
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      await flush(true)
      const lost = sumOf([...tallies.values()].map(deps.rowOf))
      if (lost > 0) deps.log.error({ attempts: lost }, `${deps.what} were never recorded`)
    },
  }
}

function sumOf(rows: readonly { readonly count: number }[]): number {
  return rows.reduce((sum, { count }) => sum + count, 0)
}
