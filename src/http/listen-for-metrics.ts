import type { Log } from '../log.ts'
import { openMetricsRoute } from './get-metrics.ts'
import { type Listening, listen } from './listen.ts'
import { createHttpServer } from './server.ts'

/** `/metrics`, and nothing else, on a port of its own that is open to whoever reaches it; undefined without a port. */
export async function listenForMetrics(
  { host, metricsPort }: { readonly host: string; readonly metricsPort: number | undefined },
  deps: { readonly readMetrics: () => Promise<string>; readonly log: Log },
): Promise<Listening | undefined> {
  if (metricsPort === undefined) return undefined
  const server = createHttpServer({
    routes: [openMetricsRoute(deps)],
    trustProxy: 0,
    callers: { findCaller: async () => undefined, findProjectOfEmail: async () => undefined },
    recordRefusal: async () => undefined,
    log: deps.log,
  })
  return listen(server, { host, port: metricsPort, setting: 'METRICS_PORT' })
}
