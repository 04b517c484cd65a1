import cluster from 'node:cluster'
import type { MetricsSnapshot, ReadMetrics } from '../telemetry/metrics.ts'
import type { FromWorker, ToWorker } from './messages.ts'

/** How a server process speaks with the one that started it. */
export type PrimaryLink = {
  tellListening(url: string): void
  /** The metrics of all server processes together. */
  readonly readMetrics: ReadMetrics
  /** Answers from now on what the primary asks about this process. */
  offerSnapshot(take: () => Promise<MetricsSnapshot>): void
}

/** The link to the process that started this one as one of several; undefined where none did. */
export function findPrimary(): PrimaryLink | undefined {
  const { worker } = cluster
  if (worker === undefined) return undefined
  const send = (message: FromWorker) => void worker.send(message, ignoreLoss)
  const asked = new Map<number, (text: string) => void>()
  let lastId = 0
  let takeSnapshot: (() => Promise<MetricsSnapshot>) | undefined

  worker.on('message', (message: ToWorker) => {
    if (message.kind === 'metrics') {
      asked.get(message.id)?.(message.text)
      asked.delete(message.id)
    } else if (message.kind === 'takeSnapshot') {
      takeSnapshot?.().then(
        (snapshot) => send({ kind: 'snapshot', id: message.id, snapshot }),
        // Without an answer the last one counts.
        () => undefined,
      )
    }
  })
  return {
    tellListening: (url) => send({ kind: 'listening', url }),
    readMetrics: (audience) =>
      new Promise((resolve) => {
        const id = ++lastId
        asked.set(id, resolve)
        send({ kind: 'readMetrics', id, audience })
      }),
    offerSnapshot(take) {
      takeSnapshot = take
    },
  }
}

/** Whether this process was started as one of several, by one that says what concerns all of them. */
export function hasPrimary(): boolean {
  return cluster.worker !== undefined
}

/** Lets go of the process that started this one, if one did: what links them would keep it from ending. */
export function leavePrimary(): void {
  cluster.worker?.disconnect()
}

/** A primary that is gone ends this process by itself. */
function ignoreLoss(): void {}
