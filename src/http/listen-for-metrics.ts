import type { Log } from '../log.ts'
import { openMetricsRoute } from './get-metrics.ts'
import { type Listening, listen } from './listen.ts'
import { createHttpServer } from './server.ts'

/** `/metrics`, and nothing else, on a port of its own that is open to whoever reaches it. */
export function listenForMetrics(
  at: { readonly host: string; readonly port: number },
  deps: { readonly readMetrics: () => Promise<string>; readonly log: Log },
): Promise<Listening> {
  const server = createHttpServer({
    routes: [openMetricsRoute(deps)],
    trustProxy: 0,
    isAdministrator: () => false,
    log: deps.log,
  })
  return listen(server, at)
}
