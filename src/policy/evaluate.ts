import { availableParallelism } from 'node:os'
import { LRUCache } from 'lru-cache'
import { unavailable } from '../errors.ts'
import type { Log } from '../log.ts'
import {
  type AccessEvaluation,
  type AnyEvaluation,
  type EvaluationRequest,
  type EvaluationResult,
  type FailedEvaluation,
  INITIAL_PAGES,
  PAGE_BYTES,
  type WorkerAnswer,
} from './evaluation.ts'
import { type PolicyCode, wasmLength } from './policy-code.ts'
import { createTickets } from './tickets.ts'
import { createWorkerSlot, type WorkerSlot } from './worker-slot.ts'

export type { AccessEvaluation, EvaluationResult } from './evaluation.ts'

export type Evaluator = {
  /**
   * Runs a policy on an input in JSON text, and the guardrails beside it where they are given: allowed is what both
   * allow. Throws `unavailable` when too many wait, and what `loadCode` throws.
   */
  evaluate(digest: string, inputText: string, guardrailsDigest?: string): Promise<EvaluationResult>
  /** Runs guardrails alone, as a policy that is beside no identity's. */
  evaluateGuardrails(guardrailsDigest: string, inputText: string): Promise<EvaluationResult>
  /** Runs the policy of access decisions. */
  evaluateAccess(digest: string, inputText: string): Promise<AccessEvaluation>
  /** Takes no more, lets what waits be answered, and ends the workers. */
  close(): Promise<void>
  stats(): EvaluatorStats
}

export type EvaluatorStats = {
  readonly workers: number
  readonly waiting: number
  /** Policies that are loaded, one in two workers counted twice, and what they take. */
  readonly policies: number
  readonly bytes: number
  /** Evaluations whose policy was loaded already, and those that had to wait for it. */
  readonly hits: number
  readonly misses: number
  /** Workers that had to be stopped or died. */
  readonly replacedWorkers: number
}

export type EvaluatorDeps = {
  /** The code of a digest, from where it is stored; undefined if there is none. */
  readonly loadCode: (digest: string) => Promise<PolicyCode | undefined>
  readonly log?: Log | undefined
  readonly workers?: number
  readonly deadlineMs?: number
  readonly maxPolicies?: number
  readonly maxBytes?: number
  /**
   * How many evaluations may wait of all policies together that had to be stopped before; ten times as many of any
   * other one policy, for a burst of jobs, and twenty times as many of all that share a worker.
   */
  readonly maxQueue?: number
}

type Waiting = {
  readonly request: EvaluationRequest
  /** The identity's policy, or guardrails that are run alone: where it is run, and whose fault it is. */
  readonly digest: string
  readonly resolve: (result: AnyEvaluation) => void
  readonly reject: (error: unknown) => void
  readonly place: number
  /** How many workers died under it without its being at fault for all that is known. */
  readonly losses: number
}

type Guardrails = { readonly digest: string; readonly code: PolicyCode }

const NONE = Symbol('no such policy')
const MAX_INPUT_LENGTH = 64 * 1024
const MAX_LOSSES = 3
/** These threads keep policies loaded: memory counts for more than how often it is cleaned up. */
const YOUNG_GENERATION_MB = 3
const MAX_SUSPECTS = 1000

/**
 * Evaluates policies in worker threads, since an evaluation cannot be interrupted from within. A digest goes to the same
 * worker unless another one holds that up; once it has had to be stopped or ran out of memory, to one that only such
 * policies share and that gives way to all other threads, so that a policy which does not end delays no others. An
 * instance that threw and a worker that was stopped are never used again.
 */
export function createEvaluator(deps: EvaluatorDeps): Evaluator {
  const { loadCode, log, deadlineMs = 100, maxPolicies = 500, maxBytes = 235_000_000, maxQueue = 100 } = deps
  const workers = deps.workers ?? Math.max(2, Math.min(4, availableParallelism() - 1))
  const waiting = createTickets<Waiting>()
  /** How many wait, by digest and by place. */
  const queued = createCounts()
  const loading = new Map<string, Promise<PolicyCode | undefined>>()
  /** What had to be stopped or ran out of memory, which takes as long: a policy beside the guardrails of that time. */
  const suspects = new LRUCache<string, true>({ max: MAX_SUSPECTS })
  const held = new LRUCache<
    string,
    { readonly place: number; readonly digest: string; readonly wasmBytes: number }
  >({
    max: maxPolicies,
    maxSize: maxBytes,
    dispose: ({ place, digest }, _, reason) => {
      if (reason === 'evict') slots[place]?.drop(digest)
    },
  })
  /** What each worker was last held up by. */
  const slowAt: (string | undefined)[] = []
  /** The guardrails that each worker has. */
  const guardrailsAt: (string | undefined)[] = []
  const slots: WorkerSlot[] = Array.from({ length: workers }, (_, place) => createSlot(place))
  let lastGuardrails: Guardrails | undefined
  let replacedWorkers = 0
  let [hits, misses] = [0, 0]
  let onIdle: (() => void) | undefined
  let closing: Promise<void> | undefined

  function createSlot(place: number): WorkerSlot {
    return createWorkerSlot({
      deadlineMs,
      youngGenerationMb: YOUNG_GENERATION_MB,
      isBackground: place === workers,
      log,
      onAnswer: (answer) => answered(answer),
      onHeldUp: (culprit, others) => takeElsewhere(place, culprit, others),
      onLost(culprit, others) {
        replacedWorkers++
        forgetHeld(place)
        const stopped = culprit && waiting.get(culprit.id)
        if (culprit !== undefined && stopped !== undefined) {
          suspect(stopped)
          tell(stopped, culprit.result)
          settle(culprit.id, culprit.result)
        }
        for (const id of others) runElsewhere(id, culprit !== undefined)
      },
    })
  }

  /** What comes of it is of the kind that the request asks for. */
  function evaluate<Result extends AnyEvaluation>(
    digest: string,
    request: EvaluationRequest,
  ): Promise<Result> {
    const { inputText } = request
    if (closing !== undefined) return Promise.reject(unavailable('The service is shutting down.'))
    if (inputText.length > MAX_INPUT_LENGTH)
      return Promise.resolve(failure('The input is too large.') as Result)
    const place = placeOf(digest, request)
    if (queued.of(digest) >= maxQueue * 10 || isFull(place)) return Promise.reject(tooMany())
    return new Promise((resolve, reject) => {
      run({ request, digest, resolve: resolve as Waiting['resolve'], reject, place, losses: 0 })
    })
  }

  /** Suspects share one short queue, so that those of many identities together cannot fill the others'. */
  function isFull(place: number): boolean {
    return queued.of(place) >= (place === workers ? maxQueue : maxQueue * 20)
  }

  function placeOf(digest: string, request: EvaluationRequest): number {
    if (isSuspect({ digest, request })) return workers
    const home = hash(digest) % workers
    const isHeldUp = slots[home]?.isHeldUp() === true && slowAt[home] !== suspectKey({ digest, request })
    return isHeldUp ? freeFrom(home) : home
  }

  /** This place, or the next that is not held up; this one where all are. */
  function freeFrom(place: number): number {
    for (let next = place; next < place + workers; next++) {
      if (slots[next % workers]?.isHeldUp() === false) return next % workers
    }
    return place
  }

  function tell({ digest, request }: Waiting, { reason, cause, isOfGuardrails }: FailedEvaluation): void {
    if (isOfGuardrails) {
      log?.warn({ digest: request.guardrailsDigest, beside: digest, reason, cause }, 'guardrails failed')
    } else log?.warn({ digest, reason, cause }, 'policy failed')
  }

  function suspect(evaluation: Waiting): void {
    suspects.set(suspectKey(evaluation), true)
  }

  function isSuspect(evaluation: Pick<Waiting, 'digest' | 'request'>): boolean {
    return suspects.size > 0 && suspects.has(suspectKey(evaluation))
  }

  function run(evaluation: Waiting): void {
    const { place, digest, request } = evaluation
    const id = enter(evaluation)
    if (isLoaded(place, request)) {
      hits++
      slotAt(place).evaluate(id, request)
      return
    }
    misses++
    Promise.all([loadOwn(place, request), loadGuardrails(request)]).then(
      ([own, guardrails]) => {
        if (own === NONE || guardrails === NONE) return settle(id, failure('There is no such policy.'))
        if (own !== undefined) hold(place, digest, own)
        if (guardrails !== undefined) holdGuardrails(place, guardrails)
        slotAt(place).evaluate(id, request)
      },
      (error) => leave(id)?.reject(error),
    )
  }

  function isLoaded(place: number, { digest, guardrailsDigest }: EvaluationRequest): boolean {
    const isHeld = digest === undefined || held.get(keyOf(place, digest)) !== undefined
    return isHeld && (guardrailsDigest === undefined || guardrailsAt[place] === guardrailsDigest)
  }

  async function loadOwn(place: number, { digest }: EvaluationRequest) {
    return digest === undefined ? undefined : ((await load(place, digest)) ?? NONE)
  }

  /** The last ones stay here, as a worker that begins needs the same. */
  async function loadGuardrails({ guardrailsDigest: digest }: EvaluationRequest) {
    if (digest === undefined) return undefined
    if (lastGuardrails?.digest === digest) return lastGuardrails
    const code = await load(0, digest)
    if (code === undefined) return NONE
    lastGuardrails = { digest, code }
    return lastGuardrails
  }

  /** A worker has one set of guardrails at a time, apart from what is held: all identities share it. */
  function holdGuardrails(place: number, { digest, code }: Guardrails): void {
    const former = guardrailsAt[place]
    if (former === digest) return
    if (former !== undefined) slotAt(place).drop(former)
    slotAt(place).load(digest, code)
    guardrailsAt[place] = digest
  }

  function slotAt(place: number): WorkerSlot {
    slots[place] ??= createSlot(place)
    return slots[place]
  }

  /** Asks the store once for all that wait for the same. */
  function load(place: number, digest: string): Promise<PolicyCode | undefined> {
    const key = keyOf(place, digest)
    const asked = loading.get(key) ?? loadCode(digest).finally(() => loading.delete(key))
    loading.set(key, asked)
    return asked
  }

  function hold(place: number, digest: string, code: PolicyCode): void {
    const key = keyOf(place, digest)
    if (held.has(key)) return
    const wasmBytes = wasmLength(code)
    slotAt(place).load(digest, code)
    held.set(key, { place, digest, wasmBytes }, { size: sizeOf(wasmBytes, 0) })
  }

  function answered({ id, result, memoryBytes }: WorkerAnswer): void {
    const evaluation = waiting.get(id)
    if (evaluation === undefined) return
    const { place, digest, request } = evaluation
    if (request.digest !== undefined) keepCount(place, digest, memoryBytes)
    if (!result.ok) {
      tell(evaluation, result)
      if (result.reason !== 'policy_error') suspect(evaluation)
    }
    settle(id, result)
  }

  function keepCount(place: number, digest: string, memoryBytes: number): void {
    const policy = held.get(keyOf(place, digest))
    // A memory grows and never shrinks again, so that what was one megabyte may now be sixteen.
    if (policy !== undefined && memoryBytes > INITIAL_PAGES * PAGE_BYTES) {
      held.set(keyOf(place, digest), { ...policy }, { size: sizeOf(policy.wasmBytes, memoryBytes) })
    }
    if (!held.has(keyOf(place, digest))) slots[place]?.drop(digest)
  }

  /** Others do not wait for the end of one that may not end; those of the same policy would hold up the next place. */
  function takeElsewhere(place: number, culprit: number, others: readonly number[]): void {
    const slow = waiting.get(culprit)
    if (slow === undefined || place === workers || freeFrom(place) === place) return
    slowAt[place] = suspectKey(slow)
    const innocent = others.filter((id) => {
      const other = waiting.get(id)
      return other !== undefined && suspectKey(other) !== slowAt[place]
    })
    slotAt(place).giveUp(innocent)
    for (const id of innocent) runElsewhere(id, true)
  }

  function runElsewhere(id: number, isInnocent: boolean): void {
    const evaluation = waiting.get(id)
    if (evaluation === undefined) return
    const losses = isInnocent ? evaluation.losses : evaluation.losses + 1
    const { place } = evaluation
    const next = isSuspect(evaluation) ? workers : freeFrom((place + 1) % workers)
    if (losses >= MAX_LOSSES) {
      settle(id, failure('The worker died again and again.'))
      return
    }
    if (next === workers && isFull(next)) {
      leave(id)?.reject(tooMany())
      return
    }
    run({ ...evaluation, losses, place: next })
    leave(id)
  }

  function forgetHeld(place: number): void {
    guardrailsAt[place] = undefined
    for (const [key, policy] of held.entries()) if (policy.place === place) held.delete(key)
  }

  function settle(id: number, result: AnyEvaluation): void {
    leave(id)?.resolve(result)
  }

  function enter(evaluation: Waiting): number {
    queued.add(evaluation.digest, 1)
    queued.add(evaluation.place, 1)
    return waiting.add(evaluation)
  }

  function leave(id: number): Waiting | undefined {
    const evaluation = waiting.take(id)
    if (evaluation === undefined) return undefined
    queued.add(evaluation.digest, -1)
    queued.add(evaluation.place, -1)
    if (waiting.size === 0) onIdle?.()
    return evaluation
  }

  async function end(): Promise<void> {
    if (waiting.size > 0) await new Promise<void>((resolve) => (onIdle = resolve))
    await Promise.all(slots.map((slot) => slot.close()))
  }

  return {
    evaluate: (digest, inputText, guardrailsDigest) =>
      evaluate(digest, { digest, guardrailsDigest, inputText }),
    evaluateGuardrails: (guardrailsDigest, inputText) =>
      evaluate(guardrailsDigest, { digest: undefined, guardrailsDigest, inputText }),
    evaluateAccess: (digest, inputText) =>
      evaluate(digest, { digest, guardrailsDigest: undefined, isAccess: true, inputText }),
    close: () => (closing ??= end()),
    stats: () => ({
      workers: slots.length,
      waiting: waiting.size,
      policies: held.size,
      bytes: held.calculatedSize,
      hits,
      misses,
      replacedWorkers,
    }),
  }
}

function createCounts() {
  const counts = new Map<string | number, number>()
  return {
    of: (key: string | number) => counts.get(key) ?? 0,
    add(key: string | number, change: number) {
      const count = (counts.get(key) ?? 0) + change
      if (count === 0) counts.delete(key)
      else counts.set(key, count)
    },
  }
}

function tooMany(): Error {
  return unavailable('Too many decisions are waiting; retry the job.')
}

function keyOf(place: number, digest: string): string {
  return `${place} ${digest}`
}

/** When the guardrails change it may have been them. */
function suspectKey({ digest, request }: Pick<Waiting, 'digest' | 'request'>): string {
  return `${digest} ${request.guardrailsDigest}`
}

/** As measured: 700 kB resident for 172 kB of WASM, of its memory's first 256 KiB some 100 kB among them. */
function sizeOf(wasmBytes: number, memoryBytes: number): number {
  return 1 + wasmBytes * 4 + Math.max(0, memoryBytes - INITIAL_PAGES * PAGE_BYTES) // never 0, which is no size
}

/** FNV-1a: spreads digests over the workers. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193) >>> 0
  return value
}

function failure(cause: string): FailedEvaluation {
  return { ok: false, reason: 'policy_error', cause }
}
