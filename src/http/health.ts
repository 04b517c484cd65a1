import { errorAnswer } from './problem.ts'
import type { Route } from './route.ts'

/** What the service needs, each with `ok` or what is wrong with it. */
export type Readiness = Readonly<Record<string, string>>

/** `GET /healthz`: the process lives. */
export function healthRoute(): Route {
  return {
    method: 'GET',
    path: '/healthz',
    access: 'public',
    query: 'ignored',
    handle: async () => ({ body: { status: 'ok' } }),
  }
}

/** `GET /readyz`: whether an exchange would be served now, and what is missing if not. */
export function readinessRoute(deps: { checkReadiness: () => Promise<Readiness> }): Route {
  return {
    method: 'GET',
    path: '/readyz',
    access: 'public',
    query: 'ignored',
    async handle() {
      const checks = await deps.checkReadiness()
      const missing = Object.keys(checks).filter((name) => checks[name] !== 'ok')
      if (missing.length === 0) return { body: { status: 'ok', checks } }
      return errorAnswer('unavailable', `Not ready: ${missing.join(', ')}.`, [{ checks }])
    },
  }
}
