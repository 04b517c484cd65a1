import { z } from 'zod'
import { defineRoute, type Route } from './route.ts'

/** Prometheus' text format, as every scraper reads it. */
const TEXT_FORMAT = 'text/plain; version=0.0.4; charset=utf-8'

/** `GET /metrics` beside the API, for an administrator. */
export function metricsRoute(deps: { readMetrics: () => Promise<string> }): Route {
  return textRoute('claimgate.metrics.get', deps)
}

/** `GET /metrics` on a port of its own, for whoever reaches it. */
export function openMetricsRoute(deps: { readMetrics: () => Promise<string> }): Route {
  return textRoute('public', deps)
}

function textRoute(access: Route['access'], deps: { readMetrics: () => Promise<string> }): Route {
  return defineRoute({
    method: 'GET',
    path: '/metrics',
    group: 'Operation',
    summary: 'Metrics in the text format of Prometheus.',
    access,
    query: 'ignored',
    answer: z.string(),
    contentType: TEXT_FORMAT,
    handle: async () => ({ headers: { 'Content-Type': TEXT_FORMAT }, body: await deps.readMetrics() }),
  })
}
