import { findCallers } from './app/find-callers.ts'
import { openParts } from './app/parts.ts'
import { createRoutes } from './app/routes.ts'
import { watchParts } from './app/watch-parts.ts'
import type { Clock } from './clock.ts'
import type { Config } from './config/env.ts'
import { readVersion } from './config/version.ts'
import { checkWritable } from './db/check-database.ts'
import { checkMigrated } from './db/migrate.ts'
import { withDescription } from './http/describe-api.ts'
import { createReadiness } from './http/health.ts'
import { listen } from './http/listen.ts'
import { listenForMetrics } from './http/listen-for-metrics.ts'
import { createHttpServer } from './http/server.ts'
import type { Log } from './log.ts'
import type { MetricsSnapshot, ReadMetrics } from './telemetry/metrics.ts'

export type App = {
  /** The address it listens on. */
  readonly url: string
  /** The address of `/metrics` where it has a port of its own. */
  readonly metricsUrl: string | undefined
  /** Drops readiness, lets accepted requests finish (10 s at most), and lets go of everything. */
  close(): Promise<void>
}

export type AppOptions = {
  readonly config: Config
  readonly log: Log
  readonly clock: Clock
  /** Whether the schema is brought up to date first. */
  readonly migrate: boolean
  /** The process that migrates, keeps house and answers for the metrics of all, where this is one of several. */
  readonly primary?: Primary
  /** How long it goes on accepting once it is not ready any more, so that senders hear of it; 0 by default. */
  readonly lameDuckMs?: number
}

type Primary = {
  readonly readMetrics: ReadMetrics
  offerSnapshot(take: () => Promise<MetricsSnapshot>): void
}

/** What is left of the ten seconds of a shutdown is for telling of the last requests. */
const SHUTDOWN_MS = 10_000

/**
 * Puts the service together and makes it listen.
 * Throws, with a sentence for the operator, where something that it cannot serve without is missing.
 */
export async function startApp(options: AppOptions): Promise<App> {
  const { config, log, primary } = options
  const opened = new AsyncDisposableStack()
  let endsBy = 0
  try {
    const parts = await openParts(options, opened)
    const { db, keys, opa, telemetry } = parts
    opened.defer(() => telemetry.tracing.close(Math.max(0, endsBy - performance.now())))
    watchParts(parts)
    primary?.offerSnapshot(telemetry.metrics.snapshot)
    const readMetrics = primary?.readMetrics ?? telemetry.metrics.read
    const readiness = createReadiness({
      database: () => checkWritable(db),
      migrations: () => checkMigrated(db),
      signingKey: () => keys.check(),
      compiler: () => opa.version(),
    })

    const routes = createRoutes(parts, {
      checkReadiness: readiness.check,
      readMetrics: () => readMetrics('administrator'),
    })
    const server = createHttpServer({
      routes: withDescription(routes, { ...config, version: readVersion() }),
      trustProxy: config.trustProxy,
      callers: findCallers(parts),
      recordRefusal: parts.recordRefusal,
      isDraining: readiness.isDropped,
      watchRequest: telemetry.request,
      log,
    })
    const listening = await listen(server, { ...config, setting: 'PORT' })
    opened.defer(() => listening.drain(options.lameDuckMs))
    const metricsListening =
      primary === undefined
        ? await listenForMetrics(config, { log, readMetrics: () => readMetrics('everybody') })
        : undefined
    return {
      url: listening.url,
      metricsUrl: metricsListening?.url,
      async close() {
        endsBy = performance.now() + SHUTDOWN_MS
        readiness.drop()
        await opened.disposeAsync()
        await metricsListening?.drain()
      },
    }
  } catch (error) {
    await opened.disposeAsync()
    throw error
  }
}
