import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import type { AccessDecision, Decision, DecisionFacts, DryRun } from './decision.ts'

/** What attempts that are counted together have in common; of tokens that did not verify the caller's address alone. */
export type AttemptOrigin = {
  readonly callerIp: string | null
  readonly issuerUrl: string | null
  /** JSON text, only of verified tokens. */
  readonly claims: string | null
}

/** A refusal that gets no row of its own. */
export type Attempt = Pick<Decision | DryRun | AccessDecision, 'kind' | 'outcome' | 'reason'>

/** The row that stands for many attempts of one kind and outcome; the reason is that of most of them. */
export type AttemptSummary = AttemptOrigin &
  Attempt &
  Pick<DecisionFacts, 'id' | 'decideTime'> & { readonly count: number }

export type AttemptSummaries = AsyncDisposable & {
  count(origin: AttemptOrigin, attempt: Attempt): void
  /** Writes what could not be written before, and the counts of a minute that is over. Never throws. */
  flush(): Promise<void>
}

const MINUTE_MS = 60_000
/** How often it is looked whether a minute is over when no further attempt comes. */
const LOOK_EVERY_MS = 1_000
/** Beyond so many rows a minute further origins share one of each kind and outcome: nobody fills the table from afar. */
const MAX_ROWS = 1_000
const ANY_ORIGIN: AttemptOrigin = { callerIp: null, issuerUrl: null, claims: null }
/** The column's largest number. */
const MAX_COUNT = 2_147_483_647

type Kind = Pick<Attempt, 'kind' | 'outcome'>
type Tally = Kind & { readonly origin: AttemptOrigin; readonly reasons: Map<Attempt['reason'], number> }
type Deps = {
  /** Adds all rows or none; the same rows may come again where nobody knows whether they were added. */
  readonly insert: (rows: readonly AttemptSummary[]) => Promise<void>
  readonly newDecisionId: (timeMs: number) => string
  readonly clock: Clock
  readonly log: Log
}

/**
 * Counts attempts that get no row of their own, and writes one row for each origin, kind and outcome when a minute is
 * over, or when it is disposed of. Rows that cannot be written are tried again, while what comes meanwhile goes on
 * being counted.
 */
export function createAttemptSummaries(deps: Deps): AttemptSummaries {
  const tallies = new Map<string, Tally>()
  let countedSince = 0
  let unwritten: readonly AttemptSummary[] = []
  let writing: Promise<void> | undefined

  const timer = setInterval(() => void flush(), LOOK_EVERY_MS)
  timer.unref()

  function tallyOf(origin: AttemptOrigin, { kind, outcome }: Kind): Tally {
    const key = JSON.stringify([origin.callerIp, origin.issuerUrl, origin.claims, kind, outcome])
    const known = tallies.get(key)
    if (known !== undefined) return known
    if (tallies.size >= MAX_ROWS && origin !== ANY_ORIGIN) return tallyOf(ANY_ORIGIN, { kind, outcome })
    if (tallies.size === 0) countedSince = deps.clock()
    const tally = { origin, kind, outcome, reasons: new Map() }
    tallies.set(key, tally)
    return tally
  }

  /** At once, so that what is counted next belongs to the next minute. */
  function closeMinute(isLast: boolean): boolean {
    const age = deps.clock() - countedSince
    const isOver = isLast || age >= MINUTE_MS || age < 0
    if (tallies.size === 0 || unwritten.length > 0 || !isOver) return false
    unwritten = [...tallies.values()].map((tally) => summarise(tally, deps))
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
      deps.log.error(
        { attempts: sumOf(unwritten), error: (error as Error).message },
        'attempts are not recorded yet',
      )
    } finally {
      writing = undefined
    }
  }

  async function flush(isLast = false): Promise<void> {
    if (unwritten.length > 0) await write()
    if (closeMinute(isLast)) await write()
  }

  return {
    count(origin, attempt) {
      if (closeMinute(false)) void write()
      const { reasons } = tallyOf(origin, attempt)
      reasons.set(attempt.reason, (reasons.get(attempt.reason) ?? 0) + 1)
    },
    flush: () => flush(),
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      await flush(true)
      const lost = [...tallies.values()].map((tally) => summarise(tally, deps))
      if (lost.length > 0) deps.log.error({ attempts: sumOf(lost) }, 'attempts were never recorded')
    },
  }
}

function summarise({ origin, kind, outcome, reasons }: Tally, deps: Deps): AttemptSummary {
  const [most] = [...reasons].sort(([, one], [, other]) => other - one)
  if (most === undefined) throw new Error('There is no tally without an attempt.')
  const { callerIp, issuerUrl, claims } = origin
  const [reason] = most
  const count = reasons.values().reduce((sum, each) => sum + each, 0)
  const decideTime = deps.clock()
  const moment = { id: deps.newDecisionId(decideTime), decideTime }
  return { ...moment, kind, outcome, reason, callerIp, issuerUrl, claims, count: Math.min(count, MAX_COUNT) }
}

function sumOf(rows: readonly AttemptSummary[]): number {
  return rows.reduce((sum, { count }) => sum + count, 0)
}
