import type { KeyObject } from 'node:crypto'
import { Worker } from 'node:worker_threads'
import { LRUCache } from 'lru-cache'
import { threadEnvironment } from '../compiled-code.ts'
import { unavailable } from '../errors.ts'
import type { SignatureAlgorithm } from '../issuer/issuer.ts'
import type { Log } from '../log.ts'
import type { SignatureAnswer, SignatureCommand } from './signature-command.ts'

export type SignatureThread = {
  /** Whether a compact JWS is signed by this key; see `verifyJws`. Rejects for a key that cannot be worked with. */
  verify(algorithm: SignatureAlgorithm, key: KeyObject, jws: string): Promise<boolean>
  /** Signs with ES256; see `signJws`. */
  sign(key: KeyObject, signingInput: string): Promise<string>
  /** Lets go of a key that is not needed any more. */
  forget(key: KeyObject): void
  close(): Promise<void>
}

type Waiting = { readonly resolve: (value: never) => void; readonly reject: (error: unknown) => void }

/** Public keys of that many issuers' current sets; one more only has to be sent again. */
const MAX_KEYS = 1000
/** It holds keys and what is under way; a larger young generation would only wait longer to be cleaned up. */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 8 }
/** A second's work for the slowest algorithm there is (ES384, 1 ms). */
const MAX_WAITING = 1000

/**
 * Verifies and signs in one thread, what gathered in a tick together. Compared with a task of libuv's pool for each
 * signature this took a quarter of an exchange's processor time away, a third of it from the main thread (measured):
 * handing work over costs more than the work.
 */
export function createSignatureThread({ log }: { readonly log?: Log }): SignatureThread {
  const waiting: Waiting[] = []
  const numbers = new LRUCache<KeyObject, number>({
    max: MAX_KEYS,
    dispose: (number, _, reason) => {
      if (reason === 'evict') send({ kind: 'drop', number })
    },
  })
  let outbox: SignatureCommand[] = []
  let lastNumber = 0
  let worker: Worker | undefined
  let isClosed = false

  function start(): Worker {
    const started = new Worker(new URL('./signature-worker.ts', import.meta.url), {
      env: threadEnvironment(),
      execArgv: [],
      resourceLimits: RESOURCE_LIMITS,
      name: 'signature',
    })
    started.on('message', (answers: readonly SignatureAnswer[]) => {
      if (worker === started) for (const answer of answers) settle(waiting.shift(), answer)
    })
    started.on('error', (error) => log?.error({ cause: error.message }, 'signature thread failed'))
    started.on('exit', () => {
      if (worker === started) lose()
    })
    return started
  }

  /** What was under way is lost; the next one starts another thread, which knows no keys. */
  function lose(): void {
    worker = undefined
    outbox = []
    numbers.clear()
    for (const { reject } of waiting.splice(0)) reject(unavailable('Signing failed; retry the job.'))
  }

  function send(command: SignatureCommand): void {
    if (outbox.length === 0) setImmediate(flush)
    outbox.push(command)
  }

  function flush(): void {
    if (outbox.length === 0) return
    try {
      worker ??= start()
      worker.postMessage(outbox)
      outbox = []
    } catch (error) {
      // The system has no room for another thread: it is tried again with the next token.
      log?.error({ cause: String(error) }, 'signature thread not started')
      lose()
    }
  }

  function numberOf(key: KeyObject): number {
    const known = numbers.get(key)
    if (known !== undefined) return known
    const number = ++lastNumber
    send({ kind: 'hold', number, key })
    numbers.set(key, number)
    return number
  }

  function ask<Value>(key: KeyObject, commandFor: (number: number) => SignatureCommand): Promise<Value> {
    if (isClosed) return Promise.reject(unavailable('The service is shutting down.'))
    if (waiting.length >= MAX_WAITING) return Promise.reject(unavailable('Too many tokens are waiting.'))
    return new Promise<Value>((resolve, reject) => {
      waiting.push({ resolve, reject })
      send(commandFor(numberOf(key)))
    })
  }

  return {
    verify: (algorithm, key, jws) => ask(key, (number) => ({ kind: 'verify', number, algorithm, jws })),
    sign: (key, signingInput) => ask(key, (number) => ({ kind: 'sign', number, signingInput })),
    forget(key) {
      const number = numbers.get(key)
      if (number === undefined) return
      numbers.delete(key)
      send({ kind: 'drop', number })
    },
    async close() {
      isClosed = true
      const ended = worker
      lose()
      await ended?.terminate()
    },
  }
}

function settle(waiting: Waiting | undefined, answer: SignatureAnswer): void {
  if (answer.ok) waiting?.resolve(answer.value as never)
  else waiting?.reject(new Error(answer.problem))
}
