import { setTimeout } from 'node:timers/promises'
import { openConnection } from './connection.ts'
import type { Load, LoadResult } from './load.ts'

type Measured = { readonly latenciesMs: number[]; readonly statuses: Record<number, number> }

/** More than the service answers at a time at half its maximum; what finds none waits, and its latency says so. */
const OPEN_CONNECTIONS = 256

/** Sends a load and measures each answer. `nextRequest` ends the load early where it has no more. */
export async function sendLoad(load: Load, nextRequest: () => string | undefined): Promise<LoadResult> {
  const measured: Measured = { latenciesMs: [], statuses: {} }
  const count = load.pace.kind === 'closed' ? load.pace.inFlight : OPEN_CONNECTIONS
  const connections = await Promise.all(Array.from({ length: count }, () => openConnection(load.url)))
  const startedAt = performance.now()
  const usedBefore = process.cpuUsage()
  if (load.pace.kind === 'closed') {
    const until = startedAt + load.seconds * 1000
    await Promise.all(
      connections.map(async (connection) => {
        for (let now = startedAt; now < until; ) {
          const request = nextRequest()
          if (request === undefined) return
          const sentAt = performance.now()
          const status = await connection.send(request)
          now = performance.now()
          note(measured, status, now - sentAt)
        }
      }),
    )
  } else {
    await sendOnTime(load.pace.perSecond, load.seconds, connections, nextRequest, measured)
  }
  const seconds = (performance.now() - startedAt) / 1000
  const { user, system } = process.cpuUsage(usedBefore)
  for (const connection of connections) connection.close()
  return {
    seconds,
    latenciesMs: Float64Array.from(measured.latenciesMs),
    statuses: measured.statuses,
    senderProcessorMs: (user + system) / 1000,
  }
}

/** Sends each request when it is due; one that finds no connection free is sent when one is, and counts from before. */
async function sendOnTime(
  perSecond: number,
  seconds: number,
  connections: readonly { send(request: string): Promise<number> }[],
  nextRequest: () => string | undefined,
  measured: Measured,
): Promise<void> {
  const free = [...connections]
  const total = Math.round(perSecond * seconds)
  const startedAt = performance.now()
  const inFlight = new Set<Promise<void>>()
  for (let sent = 0; sent < total; ) {
    const due = Math.min(total, Math.floor(((performance.now() - startedAt) / 1000) * perSecond) + 1)
    while (sent < due) {
      const connection = free.pop()
      if (connection === undefined) break
      const request = nextRequest()
      if (request === undefined) return void (await Promise.all(inFlight))
      const intendedAt = startedAt + (sent++ / perSecond) * 1000
      const answered = connection.send(request).then((status) => {
        note(measured, status, performance.now() - intendedAt)
        free.push(connection)
        inFlight.delete(answered)
      })
      inFlight.add(answered)
    }
    await setTimeout(1)
  }
  await Promise.all(inFlight)
}

function note({ latenciesMs, statuses }: Measured, status: number, latencyMs: number): void {
  latenciesMs.push(latencyMs)
  statuses[status] = (statuses[status] ?? 0) + 1
}
