import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import type { DecisionStore } from './decision-store.ts'

const HOUR_MS = 3_600_000

/**
 * Makes partitions ahead, drops months of decisions that are no longer kept and forgets tokens that can no longer be
 * presented: now, and every hour until disposed. Each of these is done by one instance at a time.
 */
export async function keepHouse(deps: {
  decisions: Pick<DecisionStore, 'ensurePartitions' | 'retentionDays' | 'retire' | 'pruneUsedTokens'>
  /** What the settings say; the database keeps to what the owner wrote down in it. */
  decisionRetentionDays: number | undefined
  clock: Clock
  log: Log
}): Promise<Disposable> {
  await warnOfRetention(deps)
  await onceOver(deps)
  const timer = setInterval(() => void onceOver(deps), HOUR_MS)
  timer.unref()
  return { [Symbol.dispose]: () => clearInterval(timer) }
}

async function warnOfRetention({
  decisions,
  decisionRetentionDays,
  log,
}: Parameters<typeof keepHouse>[0]): Promise<void> {
  const days = await decisions.retentionDays()
  if (days === decisionRetentionDays) return
  log.warn(
    { stored: days ?? null, setting: decisionRetentionDays ?? null },
    "DECISION_RETENTION_DAYS is not what the database keeps to: run 'npm run migrate', or serve without --no-migrate",
  )
}

/** A fault here stops no exchange: the DEFAULT partition takes what has no other, and is told of. */
async function onceOver({ decisions, clock, log }: Parameters<typeof keepHouse>[0]): Promise<void> {
  const told = (what: string) => (error: unknown) => {
    const { message, cause } = error as Error
    log.error({ cause: String(cause ?? message) }, what)
  }
  await decisions
    .ensurePartitions(clock())
    .then(({ strayRows }) => {
      if (strayRows) log.error('decisions lie outside all monthly partitions: was the clock wrong?')
    })
    .catch(told('partitions could not be made ahead'))
  await decisions
    .retire(clock())
    .then((partitions) => {
      if (partitions.length > 0) log.info({ partitions }, 'decisions that are no longer kept were dropped')
    })
    .catch(told('decisions that are no longer kept could not be dropped'))
  await decisions.pruneUsedTokens(clock()).catch(told('used tokens could not be pruned'))
}
