import { setTimeout } from 'node:timers/promises'
import { type Connection, openConnection } from './connection.ts'
import type { Load, LoadResult } from './load.ts'

type Measured = { readonly latenciesMs: number[]; readonly statuses: Record<number, number> }

/** More than the service answers at a time at half its maximum; what finds none waits, and its latency says so. */
const MAX_IN_FLIGHT = 256

/** Sends a load and measures each answer. `nextRequest` ends the load early where it has no more. */
export async function sendLoad(load: Load, nextRequest: () => string | undefined): Promise<LoadResult> {
  const measured: Measured = { latenciesMs: [], statuses: {} }
  const send = load.pace.kind === 'closed' ? sendInTurn : sendOnTime
  const startedAt = performance.now()
  const usedBefore = process.cpuUsage()
  await send(load, nextRequest, measured)
  const { user, system } = process.cpuUsage(usedBefore)
  return {
    seconds: (performance.now() - startedAt) / 1000,
    latenciesMs: Float64Array.from(measured.latenciesMs),
    statuses: measured.statuses,
    senderProcessorMs: (user + system) / 1000,
  }
}

type NextRequest = () => string | undefined

/** So many at a time, each on a connection of its own. */
async function sendInTurn(
  { url, pace, seconds }: Load,
  nextRequest: NextRequest,
  measured: Measured,
): Promise<void> {
  const count = pace.kind === 'closed' ? pace.inFlight : 0
  const until = performance.now() + seconds * 1000
  const sendAndWait = async () => {
    const connection = await openConnection(url)
    for (let now = performance.now(); now < until; ) {
      const request = nextRequest()
      if (request === undefined) break
      const sentAt = performance.now()
      const status = await connection.send(request)
      now = performance.now()
      note(measured, status, now - sentAt)
    }
    connection.close()
  }
  await Promise.all(Array.from({ length: count }, sendAndWait))
}

/** Sends each request when it is due; one that may not be sent yet is sent when it may, and counts from when it was due. */
async function sendOnTime(
  { url, pace, seconds }: Load,
  nextRequest: NextRequest,
  measured: Measured,
): Promise<void> {
  const perSecond = pace.kind === 'open' ? pace.perSecond : 0
  const total = Math.round(perSecond * seconds)
  const free: Connection[] = []
  const inFlight = new Set<Promise<void>>()
  const startedAt = performance.now()
  const sendOne = async (request: string, dueAt: number) => {
    const connection = takeFresh(free) ?? (await openConnection(url))
    note(measured, await connection.send(request), performance.now() - dueAt)
    free.push(connection)
  }
  for (let sent = 0; sent < total; ) {
    const due = Math.min(total, Math.floor(((performance.now() - startedAt) / 1000) * perSecond) + 1)
    while (sent < due && inFlight.size < MAX_IN_FLIGHT) {
      const request = nextRequest()
      if (request === undefined) {
        sent = total
        break
      }
      const answered = sendOne(request, startedAt + (sent++ / perSecond) * 1000).finally(() => {
        inFlight.delete(answered)
      })
      inFlight.add(answered)
    }
    await setTimeout(1)
  }
  await Promise.all(inFlight)
  for (const connection of free) connection.close()
}

function takeFresh(free: Connection[]): Connection | undefined {
  for (let connection = free.pop(); connection !== undefined; connection = free.pop()) {
    if (connection.isFresh()) return connection
    connection.close()
  }
  return undefined
}

function note({ latenciesMs, statuses }: Measured, status: number, latencyMs: number): void {
  latenciesMs.push(latencyMs)
  statuses[status] = (statuses[status] ?? 0) + 1
}
