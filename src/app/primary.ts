import type { App, AppOptions } from '../app.ts'
import { openDatabase } from '../db/open-database.ts'
import { createDecisionStore } from '../decision/decision-store.ts'
import { keepHouse } from '../decision/keep-house.ts'
import { listenForMetrics } from '../http/listen-for-metrics.ts'
import { mergedText, mergedTotals } from '../telemetry/merge-metrics.ts'
import type { MetricsSnapshot, ReadMetrics } from '../telemetry/metrics.ts'
import { observeWorkers } from '../telemetry/observe-workers.ts'
import { createWorkers } from '../workers/workers.ts'
import { warnOfRole } from './warn-of-role.ts'

/**
 * Puts together the process that starts the serving ones: it brings the schema up to date, keeps house and adds up
 * their metrics, and serves no exchange itself.
 */
export async function startPrimary({ config, log, clock, migrate }: AppOptions): Promise<App> {
  const opened = new AsyncDisposableStack()
  try {
    const db = await openDatabase(config, { log, migrate })
    opened.defer(() => db.close())
    await warnOfRole(db, log)
    opened.use(await keepHouse({ ...config, decisions: createDecisionStore(db), clock, log }))

    let retired = Promise.resolve<MetricsSnapshot>({ open: [], confined: [] })
    const readMetrics: ReadMetrics = async (audience) =>
      mergedText([...(await workers.takeSnapshots()), await own.snapshot(), await retired], audience)
    const workers = createWorkers({
      count: config.workers,
      log,
      readMetrics,
      onGone(last) {
        retired = retired.then((before) => mergedTotals([before, last]))
      },
    })
    const own = observeWorkers(workers.stats)
    opened.defer(() => workers.close())
    const url = await workers.start()
    const metrics = await listenForMetrics(config, { log, readMetrics: () => readMetrics('everybody') })
    return {
      url,
      metricsUrl: metrics?.url,
      async close() {
        await opened.disposeAsync()
        await metrics?.drain()
      },
    }
  } catch (error) {
    await opened.disposeAsync()
    throw error
  }
}
