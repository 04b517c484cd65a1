import { Worker } from 'node:worker_threads'
import { threadEnvironment } from '../compiled-code.ts'
import type { Log } from '../log.ts'
import {
  type EvaluationRequest,
  type FailedEvaluation,
  partAt,
  STATE_BYTES,
  STATE_DEADLINE,
  STATE_ID,
  STATE_PROCESSOR_TIME,
  type WorkerAnswer,
  type WorkerCommand,
  type WorkerSettings,
} from './evaluation.ts'
import type { PolicyCode } from './policy-code.ts'

export type WorkerSlot = {
  load(digest: string, code: PolicyCode): void
  drop(digest: string): void
  /** Evaluates in turn; the ids are the caller's, and never used twice. */
  evaluate(id: number, request: EvaluationRequest): void
  /** Answers none of these any more: somebody else does. */
  giveUp(ids: readonly number[]): void
  /** Whether what comes now would wait: for an evaluation that goes on and on, or for a worker that only begins. */
  isHeldUp(): boolean
  close(): Promise<void>
}

export type WorkerSlotEvents = {
  readonly onAnswer: (answer: WorkerAnswer) => void
  /** `culprit` has worked for so long that it may not end; it is waited for, and `others` wait behind it. */
  readonly onHeldUp?: (culprit: number, others: readonly number[]) => void
  /** The worker is gone, its policies with it. `culprit` is what it was stopped or died at, `others` waited. */
  readonly onLost: (
    culprit: { readonly id: number; readonly result: FailedEvaluation } | undefined,
    others: readonly number[],
  ) => void
}

type WorkerSlotDeps = WorkerSlotEvents & {
  readonly deadlineMs: number
  /** The larger, the less often it is cleaned up. */
  readonly youngGenerationMb: number
  /** That the thread gives way to all others of the machine. */
  readonly isBackground?: boolean
  readonly log?: Log | undefined
}
type Running = { readonly worker: Worker; readonly state: BigInt64Array }

const CHECK_EVERY_MS = 10
const MAX_TIMES_LATE = 100
/** Of a processor's time: a thousand times what an evaluation takes, and less than anybody notices. */
const HELD_UP_AFTER_MS = 20
/** The WASM's memory does not count here; a verdict's text and objects do. */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 128, stackSizeMb: 4 }

/**
 * A place for a worker thread: watches how long an evaluation takes, and puts another worker in the place of one that
 * it had to stop or that died.
 */
export function createWorkerSlot(deps: WorkerSlotDeps): WorkerSlot {
  const { deadlineMs, log, onAnswer } = deps
  /** In the order in which they were sent, which is that of most answers. */
  let pending: number[] = []
  const stopped = new Set<Promise<unknown>>()
  let outbox: WorkerCommand[] = []
  let isClosed = false
  let watch: NodeJS.Timeout | undefined
  let late: { readonly deadline: bigint; readonly times: number } | undefined
  /** The deadline of what was at work when it was last looked for: no two have the same. */
  let seen: bigint | undefined
  /** The evaluation that was seen at work for too long. */
  let heldUpBy: number | undefined
  let isReady = false
  let running = start()

  /** Undefined where the system has no room for another thread: it is tried again when there is something to do. */
  function start(): Running | undefined {
    try {
      return startWorker()
    } catch (error) {
      log?.warn({ cause: String(error) }, 'policy worker not started')
      return undefined
    }
  }

  function startWorker(): Running {
    isReady = false
    const shared = new SharedArrayBuffer(STATE_BYTES)
    const settings: WorkerSettings = { state: shared, deadlineMs, isBackground: deps.isBackground === true }
    const worker = new Worker(new URL('./evaluate-worker.ts', import.meta.url), {
      workerData: settings,
      resourceLimits: { ...RESOURCE_LIMITS, maxYoungGenerationSizeMb: deps.youngGenerationMb },
      env: threadEnvironment(),
      execArgv: [],
      name: 'policy',
    })
    const state = new BigInt64Array(shared)
    worker.on('message', (answers: readonly WorkerAnswer[]) => {
      if (running?.worker !== worker) return
      isReady = true
      answers.forEach(settle)
    })
    worker.on('error', (error: NodeJS.ErrnoException) => {
      if (running?.worker === worker) died({ worker, state }, error)
    })
    worker.on('exit', (code) => {
      if (running?.worker === worker) died({ worker, state }, new Error(`It exited with ${code}.`))
    })
    return { worker, state }
  }

  function settle(answer: WorkerAnswer): void {
    if (!leave(answer.id)) return
    if (answer.id === heldUpBy) heldUpBy = undefined
    if (pending.length === 0) stopWatch()
    onAnswer(answer)
  }

  /** Whether it was pending. */
  function leave(id: number): boolean {
    const index = pending.indexOf(id)
    if (index !== -1) pending.splice(index, 1)
    return index !== -1
  }

  function died({ state }: Running, error: NodeJS.ErrnoException): void {
    const isBusy = Atomics.load(state, STATE_DEADLINE) !== 0n
    const reason = error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'policy_memory' : 'policy_error'
    const cause = `The worker died: ${error.message}`
    log?.warn({ cause }, 'policy worker died')
    const result = { ok: false, reason, cause, ...partAt(state) } as const
    replace(isBusy ? Number(Atomics.load(state, STATE_ID)) : undefined, result)
  }

  function replace(id: number | undefined, result: FailedEvaluation): void {
    const culprit = id !== undefined && leave(id) ? { id, result } : undefined
    const others = pending
    pending = []
    outbox = []
    heldUpBy = undefined
    stopWatch()
    // One that died before it did anything is not followed by another at once: that one would do the same.
    running = culprit === undefined ? undefined : start()
    deps.onLost(culprit, others)
  }

  function send(command: WorkerCommand): void {
    if (outbox.length === 0) setImmediate(flush)
    outbox.push(command)
  }

  function flush(): void {
    if (outbox.length === 0 || isClosed) return
    running ??= start()
    if (running === undefined) {
      replace(undefined, { ok: false, reason: 'policy_error', cause: '' })
      return
    }
    // Code goes over as it is, a copy of its own: as part of the message it would be copied twice more.
    const code = outbox.flatMap((command) => (command.kind === 'load' ? [command.code.buffer] : []))
    running.worker.postMessage(outbox, code)
    outbox = []
  }

  function startWatch(): void {
    watch ??= setInterval(check, CHECK_EVERY_MS)
  }

  function stopWatch(): void {
    clearInterval(watch)
    watch = undefined
    late = undefined
  }

  /**
   * Looks at what is being evaluated; how long is told by the thread's processor time: on a machine with more to do than
   * processors, or after this process stood still, an evaluation of a hundred microseconds was seen to take a hundred
   * milliseconds. What is found late again and again is stopped in any case.
   */
  async function check(): Promise<void> {
    if (running === undefined) return
    const { worker, state } = running
    const deadline = Atomics.load(state, STATE_DEADLINE)
    if (deadline === 0n) return
    const isLate = process.hrtime.bigint() > deadline
    late = isLate ? { deadline, times: late?.deadline === deadline ? late.times + 1 : 1 } : undefined
    const isSeenAgain = seen === deadline
    seen = deadline
    // Asking the thread costs it time, and nearly every evaluation is over when it is looked for again.
    if (!isSeenAgain) return
    const usedMs = await processorTimeMs(worker, state)
    if (running?.worker !== worker || Atomics.load(state, STATE_DEADLINE) !== deadline) return
    const id = Number(Atomics.load(state, STATE_ID))
    if (late !== undefined && (usedMs > deadlineMs / 2 || late.times >= MAX_TIMES_LATE)) stopLate(running, id)
    else if (usedMs > HELD_UP_AFTER_MS && heldUpBy !== id) holdUp(id)
  }

  function stopLate({ worker, state }: Running, id: number): void {
    log?.warn({ deadlineMs }, 'policy evaluation stopped')
    const cause = `It took more than ${deadlineMs} ms.`
    const result = { ok: false, reason: 'policy_timeout', cause, ...partAt(state) } as const
    running = undefined
    stop(worker)
    replace(id, result)
  }

  function holdUp(id: number): void {
    if (!pending.includes(id)) return
    heldUpBy = id
    const others = pending.filter((each) => each !== id)
    deps.onHeldUp?.(id, others)
  }

  function stop(worker: Worker): void {
    const ended = worker.terminate().finally(() => stopped.delete(ended))
    stopped.add(ended)
  }

  return {
    load: (digest, code) => send({ kind: 'load', digest, code: new Uint8Array(code) }),
    drop: (digest) => send({ kind: 'drop', digest }),
    evaluate(id, request) {
      pending.push(id)
      startWatch()
      send({ kind: 'evaluate', id, ...request })
    },
    giveUp(ids) {
      const given = new Set(ids)
      pending = pending.filter((id) => !given.has(id))
      // What the worker was told already it evaluates for nobody.
      outbox = outbox.filter((command) => command.kind !== 'evaluate' || !given.has(command.id))
    },
    isHeldUp: () => running !== undefined && (heldUpBy !== undefined || !isReady),
    async close() {
      stopWatch()
      isClosed = true
      if (running !== undefined) stop(running.worker)
      running = undefined
      await Promise.all(stopped)
    },
  }
}

/** What the thread has used of a processor since its evaluation began. */
async function processorTimeMs(worker: Worker, state: BigInt64Array): Promise<number> {
  const { user, system } = await worker.cpuUsage().catch(() => ({ user: 0, system: 0 }))
  return (user + system - Number(Atomics.load(state, STATE_PROCESSOR_TIME))) / 1000
}
