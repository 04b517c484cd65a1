import { LRUCache } from 'lru-cache'
import { unavailable } from '../errors.ts'
import type { Log } from '../log.ts'
import {
  type AnyEvaluation,
  type EvaluationRequest,
  type EvaluationResult,
  type FailedEvaluation,
  INITIAL_PAGES,
  PAGE_BYTES,
  type WorkerAnswer,
} from './evaluation.ts'
import type { PolicyCode } from './policy-code.ts'
import { createTickets } from './tickets.ts'
import { createWorkerSlot, type WorkerSlot } from './worker-slot.ts'

export type BatchEvaluator = {
  /**
   * Runs an identity's policy, guardrails, or both beside each other on many inputs in JSON text: what each of them
   * gives, in their order, of the kind that is asked for. Spreads them over all threads. Throws what `loadCode` throws, and
   * `unavailable` once it is closed.
   */
  evaluate<Result extends AnyEvaluation = EvaluationResult>(
    policies: Policies,
    inputTexts: readonly string[],
  ): Promise<readonly Result[]>
  /** Ends the threads at once, whatever they are at. */
  close(): Promise<void>
}

/** At least one of the two. */
export type Policies = Pick<EvaluationRequest, 'digest' | 'guardrailsDigest' | 'isAccess'>

export type BatchEvaluatorDeps = {
  /** The code of a digest; undefined if there is none: then each input fails with `policy_error`. */
  readonly loadCode: (digest: string) => Promise<PolicyCode | undefined>
  readonly log?: Log | undefined
  readonly workers: number
  readonly deadlineMs: number
  /** How many each thread keeps loaded, two at least: some 0.7 MB each. */
  readonly maxPolicies: number
  /** That the threads give way to all others of the machine. */
  readonly isBackground?: boolean
}

/** What goes to a thread together: some ten milliseconds' work, so that messages cost little and all end alike. */
const CHUNK = 250
/** A thread has the next chunk before it is done with one. */
const CHUNKS_IN_HAND = 2
const MAX_LOSSES = 3
/** With 3 an evaluation takes a fifth more (measured). */
const YOUNG_GENERATION_MB = 8

type Chunk = {
  readonly policies: Policies
  readonly inputTexts: readonly string[]
  readonly results: (AnyEvaluation | undefined)[]
  readonly resolve: (results: readonly AnyEvaluation[]) => void
  readonly reject: (error: unknown) => void
  left: number
  /** How many threads died under it without any of its inputs being at fault. */
  losses: number
}
type Place = {
  readonly slot: WorkerSlot
  readonly held: LRUCache<string, true>
  readonly queue: Chunk[]
  inHand: number
}

/**
 * Evaluates policies on recorded inputs, thousands at a time. Unlike the evaluator of exchanges it knows no urgency: it
 * fills its threads, each with a chunk of one policy after the other. Deadlines and deaths are the worker slot's.
 */
export function createBatchEvaluator(deps: BatchEvaluatorDeps): BatchEvaluator {
  const running = createTickets<{ readonly chunk: Chunk; readonly index: number }>()
  const chunks = new Set<Chunk>()
  const places = Array.from({ length: deps.workers }, (_, index) => createPlace(index))
  let next = 0
  let isClosed = false

  function createPlace(index: number): Place {
    const slot = createWorkerSlot({
      deadlineMs: deps.deadlineMs,
      youngGenerationMb: YOUNG_GENERATION_MB,
      isBackground: deps.isBackground === true,
      log: deps.log,
      onAnswer: (answer) => answered(placeAt(index), answer),
      onLost(culprit, others) {
        placeAt(index).held.clear()
        if (culprit !== undefined) answered(placeAt(index), { ...culprit, memoryBytes: 0 })
        runAgain(placeAt(index), others, culprit === undefined)
      },
    })
    const held = new LRUCache<string, true>({
      max: deps.maxPolicies,
      dispose: (_, digest, reason) => reason === 'evict' && slot.drop(digest),
    })
    return { slot, held, queue: [], inHand: 0 }
  }

  function placeAt(index: number): Place {
    const place = places[index]
    if (place === undefined) throw new Error(`There is no place ${index}.`)
    return place
  }

  function evaluateChunk(policies: Policies, inputTexts: readonly string[], index: number) {
    return new Promise<readonly AnyEvaluation[]>((resolve, reject) => {
      const chunk = { policies, inputTexts, results: [], resolve, reject, left: inputTexts.length, losses: 0 }
      chunks.add(chunk)
      placeAt(index).queue.push(chunk)
      pump(placeAt(index))
    })
  }

  function pump(place: Place): void {
    while (place.inHand < CHUNKS_IN_HAND) {
      const chunk = place.queue.shift()
      if (chunk === undefined) return
      place.inHand++
      start(place, chunk).catch((error) => {
        end(place, chunk)
        chunk.reject(error)
      })
    }
  }

  async function start(place: Place, chunk: Chunk): Promise<void> {
    for (const digest of digestsOf(chunk)) {
      if (place.held.get(digest) !== undefined) continue
      const code = await deps.loadCode(digest)
      if (isClosed) return
      if (code === undefined) {
        end(place, chunk)
        return chunk.resolve(chunk.inputTexts.map(() => failure('There is no such policy.')))
      }
      place.slot.load(digest, code)
      place.held.set(digest, true)
    }
    for (const index of chunk.inputTexts.keys())
      if (chunk.results[index] === undefined) run(place, chunk, index)
  }

  function run(place: Place, chunk: Chunk, index: number): void {
    const id = running.add({ chunk, index })
    place.slot.evaluate(id, { ...chunk.policies, inputText: chunk.inputTexts[index] ?? '' })
  }

  function answered(place: Place, { id, result, memoryBytes }: WorkerAnswer): void {
    const asked = running.take(id)
    if (asked === undefined) return
    const { chunk, index } = asked
    chunk.results[index] = result
    if (--chunk.left > 0) return
    // A memory never shrinks again: one that has grown is let go, so that five hundred take what is expected of them.
    if (memoryBytes > INITIAL_PAGES * PAGE_BYTES) {
      for (const digest of digestsOf(chunk)) if (place.held.delete(digest)) place.slot.drop(digest)
    }
    end(place, chunk)
    chunk.resolve(chunk.results as readonly AnyEvaluation[])
  }

  /** The thread is another one: what it had in hand is loaded and begun anew, but for what was answered. */
  function runAgain(place: Place, ids: readonly number[], isNobodysFault: boolean): void {
    const begun = new Set<Chunk>()
    for (const id of ids) {
      const chunk = running.take(id)?.chunk
      if (chunk !== undefined) begun.add(chunk)
    }
    for (const chunk of begun) {
      if (isNobodysFault) chunk.losses++
      const again =
        chunk.losses < MAX_LOSSES
          ? start(place, chunk)
          : Promise.reject(unavailable('Its thread died again and again.'))
      again.catch((error) => {
        end(place, chunk)
        chunk.reject(error)
      })
    }
  }

  function end(place: Place, chunk: Chunk): void {
    chunks.delete(chunk)
    place.inHand--
    pump(place)
  }

  return {
    async evaluate<Result extends AnyEvaluation>(policies: Policies, inputTexts: readonly string[]) {
      if (isClosed) throw closed()
      const results: Promise<readonly AnyEvaluation[]>[] = []
      // A small batch of a policy always goes to the same thread, which has loaded it then.
      const home = inputTexts.length > CHUNK ? next++ : homeOf(policies)
      for (let from = 0; from < inputTexts.length; from += CHUNK) {
        const index = (home + results.length) % places.length
        results.push(evaluateChunk(policies, inputTexts.slice(from, from + CHUNK), index))
      }
      return (await Promise.all(results)).flat() as Result[]
    },
    async close() {
      isClosed = true
      for (const chunk of chunks) chunk.reject(closed())
      chunks.clear()
      running.clear()
      await Promise.all(places.map(({ slot }) => slot.close()))
    },
  }
}

/** Digests are SHA-256: any part of one is spread evenly. */
function homeOf({ digest, guardrailsDigest }: Policies): number {
  return Number.parseInt((digest ?? guardrailsDigest ?? '').slice(-6), 16) || 0
}

function digestsOf({ policies }: Chunk): readonly string[] {
  return [policies.digest, policies.guardrailsDigest].filter((digest) => digest !== undefined)
}

function closed(): Error {
  return unavailable('The evaluation was given up.')
}

function failure(cause: string): FailedEvaluation {
  return { ok: false, reason: 'policy_error', cause }
}
