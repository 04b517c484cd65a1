import cluster, { type Worker } from 'node:cluster'
import { setTimeout as pause } from 'node:timers/promises'
import type { Log } from '../log.ts'
import type { MetricsSnapshot, ReadMetrics } from '../telemetry/metrics.ts'
import type { FromWorker, ToWorker } from './messages.ts'

export type WorkersDeps = {
  readonly count: number
  readonly log: Log
  /** What a worker is answered that asks for the metrics of all. */
  readonly readMetrics: ReadMetrics
  /** Told the last snapshot of a worker that is gone, where it ever gave one. */
  readonly onGone: (last: MetricsSnapshot) => void
}

export type Workers = {
  /**
   * Starts them and resolves with the address on which all listen. The first starts alone, so that what is wrong is
   * said once. Throws where one does not come to listen.
   */
  start(): Promise<string>
  stats(): { readonly running: number; readonly restarts: number }
  /** The metrics of each; of one that does not answer at once, those it gave last. */
  takeSnapshots(): Promise<readonly MetricsSnapshot[]>
  /** Has all of them finish what they accepted, and ends those that do not end by themselves. */
  close(): Promise<void>
}

/** Doubled with each that dies before it has served so long: a loop of crashes is seen in the log and costs little. */
const MIN_BACK_OFF_MS = 100
const MAX_BACK_OFF_MS = 10_000
const STEADY_AFTER_MS = 60_000
/** A worker whose event loop stands still must not keep a scrape. */
const SNAPSHOT_WITHIN_MS = 1_000
/** Longer than a worker takes at most to drain (10 s) and let go. */
const END_WITHIN_MS = 13_000

/** What is known of a worker that lives. */
type Running = {
  readonly worker: Worker
  readonly startedAt: number
  isListening: boolean
  lastSnapshot: MetricsSnapshot | undefined
}

/** Makes server processes that share one port, and another one in the place of each that dies. */
export function createWorkers(deps: WorkersDeps): Workers {
  const { log } = deps
  const running = new Set<Running>()
  const snapshots = new Map<number, (snapshot: MetricsSnapshot) => void>()
  const closing = new AbortController()
  let lastId = 0
  let restarts = 0
  let crashes = 0
  let areStarted = false
  let onGone: (() => void) | undefined

  // All accept from one socket: a connection that this process handed to one that dies would hang for ever.
  cluster.schedulingPolicy = cluster.SCHED_NONE
  // By structure, since JSON has no NaN and an event loop that was not measured yet has no delay.
  cluster.setupPrimary({ serialization: 'advanced' })

  /** Resolves with its address once it listens. */
  function startOne(): Promise<string> {
    const worker = cluster.fork()
    const each: Running = {
      worker,
      startedAt: performance.now(),
      isListening: false,
      lastSnapshot: undefined,
    }
    running.add(each)
    const listening = Promise.withResolvers<string>()
    worker.on('message', (message: FromWorker) => {
      if (message.kind === 'listening') {
        each.isListening = true
        listening.resolve(message.url)
      } else receive(each, message)
    })
    worker.on('error', (error) => log.warn({ cause: String(error) }, 'server process not reached'))
    worker.on('exit', (code, signal) => {
      running.delete(each)
      if (each.lastSnapshot !== undefined) deps.onGone(each.lastSnapshot)
      if (running.size === 0) onGone?.()
      listening.reject(new Error(`A server process could not start: it ended with ${signal ?? code}.`))
      if (areStarted || each.isListening) void replace(each, code, signal)
    })
    return listening.promise
  }

  function receive(each: Running, message: Exclude<FromWorker, { kind: 'listening' }>): void {
    if (message.kind === 'snapshot') {
      each.lastSnapshot = message.snapshot
      snapshots.get(message.id)?.(message.snapshot)
      return
    }
    const { id, audience } = message
    deps.readMetrics(audience).then(
      (text) => send(each, { kind: 'metrics', id, text }),
      (error) => log.warn({ cause: String(error) }, 'metrics could not be added up'),
    )
  }

  async function replace(dead: Running, code: number | null, signal: string | null): Promise<void> {
    if (closing.signal.aborted) return
    const wasSteady = performance.now() - dead.startedAt > STEADY_AFTER_MS
    crashes = wasSteady ? 1 : crashes + 1
    const backOffMs = Math.min(MIN_BACK_OFF_MS * 2 ** (crashes - 1), MAX_BACK_OFF_MS)
    log.error({ pid: dead.worker.process.pid, code, signal, backOffMs }, 'server process died')
    await pause(backOffMs, undefined, { signal: closing.signal }).catch(() => undefined)
    if (closing.signal.aborted) return
    restarts++
    // One that does not come to listen ends, and is replaced in its turn.
    await startOne().catch(() => undefined)
  }

  async function takeSnapshot(each: Running): Promise<MetricsSnapshot | undefined> {
    const id = ++lastId
    const taken = Promise.withResolvers<MetricsSnapshot | undefined>()
    snapshots.set(id, taken.resolve)
    const timer = setTimeout(() => taken.resolve(each.lastSnapshot), SNAPSHOT_WITHIN_MS)
    send(each, { kind: 'takeSnapshot', id })
    try {
      return await taken.promise
    } finally {
      clearTimeout(timer)
      snapshots.delete(id)
    }
  }

  function signalAll(signal: NodeJS.Signals): void {
    for (const { worker } of running) worker.process.kill(signal)
  }

  async function close(): Promise<void> {
    closing.abort()
    if (running.size === 0) return
    const allGone = new Promise<void>((resolve) => (onGone = resolve))
    signalAll('SIGTERM')
    const timer = setTimeout(() => signalAll('SIGKILL'), END_WITHIN_MS)
    await allGone
    clearTimeout(timer)
  }

  const listening = () => [...running].filter(({ isListening }) => isListening)
  return {
    async start() {
      try {
        const url = await startOne()
        await Promise.all(Array.from({ length: deps.count - 1 }, startOne))
        areStarted = true
        return url
      } catch (error) {
        await close()
        throw error
      }
    },
    stats: () => ({ running: listening().length, restarts }),
    async takeSnapshots() {
      const taken = await Promise.all(listening().map(takeSnapshot))
      return taken.filter((snapshot) => snapshot !== undefined)
    },
    close,
  }
}

function send({ worker }: Running, message: ToWorker): void {
  // One that is gone meanwhile is heard of by its exit.
  if (worker.isConnected()) worker.send(message, () => {})
}
