import { z } from 'zod'
import { RequestError } from '../errors.ts'
import { errorAnswer } from './problem.ts'
import { defineRoute, type Route } from './route.ts'

/** What the service needs, each with `ok` or what is wrong with it. */
export type Readiness = Readonly<Record<string, string>>

/** `GET /healthz`: the process lives. */
export function healthRoute(): Route {
  return defineRoute({
    method: 'GET',
    path: '/healthz',
    group: 'Operation',
    summary: 'Whether the process lives.',
    operationId: 'checkHealth',
    access: 'public',
    query: 'ignored',
    answer: z.strictObject({ status: z.literal('ok') }),
    handle: async () => ({ body: { status: 'ok' } }),
  })
}

/** `GET /readyz`: whether an exchange would be served now, and what is missing if not. */
export function readinessRoute(deps: { checkReadiness: () => Promise<Readiness> }): Route {
  return defineRoute({
    method: 'GET',
    path: '/readyz',
    group: 'Operation',
    summary: 'Whether an exchange would be served now; a 503 names what is missing.',
    operationId: 'checkReadiness',
    access: 'public',
    query: 'ignored',
    answer: z.strictObject({ status: z.literal('ok'), checks: z.record(z.string(), z.literal('ok')) }),
    refusals: {
      unavailable: {
        description: 'Not ready, or it could not be found out in time.',
        details: z.array(z.strictObject({ checks: z.record(z.string(), z.string()) })).max(1),
      },
    },
    async handle() {
      const checks = await deps.checkReadiness()
      const missing = Object.keys(checks).filter((name) => checks[name] !== 'ok')
      if (missing.length === 0) return { body: { status: 'ok', checks } }
      return errorAnswer('unavailable', `Not ready: ${missing.join(', ')}.`, [{ checks }])
    },
  })
}

/** A probe every second at most reaches what the service needs; what it found answers the others. */
const READINESS_FOR_MS = 1_000

/** Asks each check, which throws what is wrong; after `drop` the answer is that the service is shutting down. */
export function createReadiness(checks: Readonly<Record<string, () => Promise<unknown>>>): {
  check(): Promise<Readiness>
  drop(): void
  isDropped(): boolean
} {
  let dropped = false
  let last: { readonly at: number; readonly found: Promise<Readiness> } | undefined
  return {
    async check() {
      if (dropped) return { shutdown: 'The service is shutting down.' }
      if (last === undefined || performance.now() - last.at > READINESS_FOR_MS) {
        last = { at: performance.now(), found: runChecks(checks) }
      }
      return last.found
    },
    drop() {
      dropped = true
    },
    isDropped: () => dropped,
  }
}

async function runChecks(checks: Readonly<Record<string, () => Promise<unknown>>>): Promise<Readiness> {
  const outcomes = Object.entries(checks).map(async ([name, check]) => {
    const outcome = await check().then(
      () => 'ok',
      // What a database says is for the log: anybody may read this.
      (error: unknown) => (error instanceof RequestError ? error.message : 'failed'),
    )
    return [name, outcome] as const
  })
  return Object.fromEntries(await Promise.all(outcomes))
}
