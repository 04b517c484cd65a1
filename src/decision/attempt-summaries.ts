import type { Clock } from '../clock.ts'
import { createMinuteTallies, MAX_COUNT } from '../db/minute-tallies.ts'
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

/** Beyond so many rows a minute further origins share one of each kind and outcome: nobody fills the table from afar. */
const MAX_ROWS = 1_000
const ANY_ORIGIN: AttemptOrigin = { callerIp: null, issuerUrl: null, claims: null }

type Kind = Pick<Attempt, 'kind' | 'outcome'>
type Tally = Kind & { readonly origin: AttemptOrigin; readonly reasons: Map<Attempt['reason'], number> }
type Deps = {
  /** Adds all rows or none; the same rows may come again where nobody knows whether they were added. */
  readonly insert: (rows: readonly AttemptSummary[]) => Promise<void>
  readonly newDecisionId: (timeMs: number) => string
  readonly clock: Clock
  readonly log: Log
}

/** Counts attempts that get no row of their own: one row of a minute for each origin, kind and outcome. */
export function createAttemptSummaries(deps: Deps): AttemptSummaries {
  const tallies = createMinuteTallies({
    ...deps,
    what: 'attempts',
    maxTallies: MAX_ROWS,
    rowOf: (tally: Tally) => summarise(tally, deps),
  })
  return {
    count(origin, attempt) {
      const { kind, outcome, reason } = attempt
      const of = (each: AttemptOrigin) => ({
        key: JSON.stringify([each.callerIp, each.issuerUrl, each.claims, kind, outcome]),
        make: (): Tally => ({ origin: each, kind, outcome, reasons: new Map() }),
      })
      const { key, make } = of(origin)
      const { reasons } = tallies.tallyOf(key, make, of(ANY_ORIGIN))
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
    },
    flush: tallies.flush,
    [Symbol.asyncDispose]: () => tallies[Symbol.asyncDispose](),
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
