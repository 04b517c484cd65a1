import { setPriority } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import { loadPolicy } from '@open-policy-agent/opa-wasm'
import { saveCompiledCode } from '../compiled-code.ts'
import { checkAccessVerdict } from './check-access-verdict.ts'
import { checkGuardrailsVerdict, checkVerdict, joinVerdicts } from './check-verdict.ts'
import {
  ACCESS_ENTRYPOINT,
  type AccessEvaluation,
  ENTRYPOINT,
  type EvaluationRequest,
  type EvaluationResult,
  type FailedEvaluation,
  GUARDRAILS_ENTRYPOINT,
  INITIAL_PAGES,
  MAXIMUM_PAGES,
  partAt,
  ROOMY_PAGES,
  STATE_AT_GUARDRAILS,
  STATE_DEADLINE,
  STATE_ID,
  STATE_PROCESSOR_TIME,
  type WorkerAnswer,
  type WorkerCommand,
  type WorkerSettings,
} from './evaluation.ts'
import { createInterruptible, INTERRUPTED } from './interruptible.ts'
import { decompressCode } from './policy-code.ts'
import type { Verdict } from './verdict.ts'

/** Node has it; only the types of browsers declare it. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => WasmModule
  readonly LinkError: new () => Error
}
type WasmModule = { readonly [Symbol.toStringTag]: string }
type LoadedPolicy = Awaited<ReturnType<typeof loadPolicy>>
type Asked = Extract<WorkerCommand, { readonly kind: 'evaluate' }>
type Answered = { readonly answer: unknown; readonly memoryBytes: number }
type HeldPolicy = {
  /** Its bytes until it is first evaluated: the module keeps them for itself. */
  code: Uint8Array<ArrayBuffer> | WasmModule
  instance?: LoadedPolicy
}

const LOAD_DEADLINE_MS = 1000 // loading takes 3 ms, but compiling waits for a free core
const BACKGROUND_PRIORITY = 10 // a tenth of a processor that others want, all of one that nobody does
const INTERRUPTED_BY_THEN = 30 // deadlines: where it was not, the thread is ended from outside as any other
const ANSWER_AFTER_MS = 5 // what is answered is safe from being run again if the next one has to be stopped

/** Evaluates policies in a thread of its own, which can be stopped from outside: evaluating has no deadline itself. */
function startWorker(port: NonNullable<typeof parentPort>, settings: WorkerSettings): void {
  const { state, deadlineMs, isBackground } = settings
  // Of this thread alone: Linux has a priority for each, whatever the process's is.
  if (isBackground) setPriority(BACKGROUND_PRIORITY)
  // opa-wasm prints with it what a policy prints.
  console.log = () => undefined
  // Where policies are that do not end, each thread that was ended for one would be followed by another all the time.
  const call = isBackground ? createInterruptible(deadlineMs) : <T>(work: () => T): T => work()
  const progress = new BigInt64Array(state)
  const held = new Map<string, HeldPolicy>()
  let work = Promise.resolve()
  port.on('message', (commands: readonly WorkerCommand[]) => {
    work = work.then(() => obey(commands))
  })

  // That it is ready.
  port.postMessage([])

  async function obey(commands: readonly WorkerCommand[]): Promise<void> {
    let answers: WorkerAnswer[] = []
    let answered = performance.now()
    const answer = () => {
      if (answers.length > 0) port.postMessage(answers)
      answers = []
      answered = performance.now()
    }
    for (let next = 0; next < commands.length; ) {
      const command = commands[next]
      if (command?.kind === 'evaluate') {
        const found = (await prepare(command)) ?? evaluateTogether(evaluationsFrom(commands, next))
        answers.push(...found)
        next += found.length
        if (performance.now() - answered > ANSWER_AFTER_MS) answer()
      } else {
        if (command?.kind === 'drop') held.delete(command.digest)
        else if (command?.kind === 'load') held.set(command.digest, { code: command.code })
        next++
      }
    }
    answer()
  }

  /** Loads what it needs; the answer where that failed. */
  async function prepare(asked: Asked): Promise<readonly WorkerAnswer[] | undefined> {
    try {
      for (const digest of digestsOf(asked)) {
        const policy = held.get(digest)
        if (policy === undefined) throw 'The policy is not loaded.'
        if (policy.instance !== undefined) continue
        noteProcessorTime()
        begin(asked.id, LOAD_DEADLINE_MS)
        await instantiate(policy)
      }
      return undefined
    } catch (error) {
      end()
      return [failed(asked, error)]
    }
  }

  /**
   * The first ones, for as long as their policies are loaded and some milliseconds at most, under one interruption: what
   * that costs is more than an evaluation.
   */
  function evaluateTogether(asked: readonly Asked[]): readonly WorkerAnswer[] {
    const answers: WorkerAnswer[] = []
    const startedAt = performance.now()
    noteProcessorTime()
    const mayFollow = (next: Asked) => isLoaded(next) && performance.now() - startedAt <= ANSWER_AFTER_MS
    const result = call(() => {
      for (const each of asked.slice(answers.length)) {
        if (answers.length > 0 && !mayFollow(each)) return
        answers.push(evaluate(each))
      }
    })
    if (result !== INTERRUPTED) return answers
    // Nothing is caught and nothing ends where it is interrupted; between two evaluations it was neither of them.
    const culprit = Atomics.load(progress, STATE_DEADLINE) === 0n ? undefined : asked[answers.length]
    if (culprit === undefined) return answers
    const stopped = failed(culprit, INTERRUPTED)
    end()
    for (const digest of digestsOf(culprit)) delete held.get(digest)?.instance
    return [...answers, stopped]
  }

  function isLoaded(asked: Asked): boolean {
    return digestsOf(asked).every((digest) => held.get(digest)?.instance !== undefined)
  }

  function evaluate(asked: Asked): WorkerAnswer {
    const { id, digest, guardrailsDigest, inputText } = asked
    begin(id, isBackground ? deadlineMs * INTERRUPTED_BY_THEN : deadlineMs)
    try {
      if (asked.isAccess && digest !== undefined) {
        const { answer, memoryBytes } = run(digest, ACCESS_ENTRYPOINT, inputText)
        return { id, result: accessResultOf(answer), memoryBytes }
      }
      const own = digest === undefined ? undefined : run(digest, ENTRYPOINT, inputText)
      const beside =
        guardrailsDigest === undefined ? undefined : run(guardrailsDigest, GUARDRAILS_ENTRYPOINT, inputText)
      const memoryBytes = own?.memoryBytes ?? beside?.memoryBytes ?? 0
      return { id, result: resultOf(own, beside), memoryBytes }
    } catch (error) {
      return failed(asked, error)
    } finally {
      end()
    }
  }

  function run(digest: string, entrypoint: string, inputText: string): Answered {
    Atomics.store(progress, STATE_AT_GUARDRAILS, entrypoint === GUARDRAILS_ENTRYPOINT ? 1n : 0n)
    const policy = held.get(digest)
    if (policy?.instance === undefined) throw 'The policy is not loaded.'
    const { instance } = policy
    try {
      const answers: unknown = instance.evaluate(encode(inputText), entrypoint)
      return { answer: onlyResult(answers), memoryBytes: instance.mem.buffer.byteLength }
    } catch (error) {
      // What was thrown has left the instance's stack as it was: a thousand such and it is unusable.
      delete policy.instance
      throw error
    }
  }

  function end(): void {
    Atomics.store(progress, STATE_DEADLINE, 0n)
    Atomics.store(progress, STATE_AT_GUARDRAILS, 0n)
  }

  function failed({ id }: Asked, thrown: unknown): WorkerAnswer {
    return { id, result: { ...failure(thrown), ...partAt(progress) }, memoryBytes: 0 }
  }

  /** What has been used of a processor so far; once for what is evaluated together, as asking takes 4 µs. */
  function noteProcessorTime(): void {
    const { user, system } = process.threadCpuUsage()
    Atomics.store(progress, STATE_PROCESSOR_TIME, BigInt(user + system))
  }

  function begin(id: number, limitMs: number): void {
    end()
    Atomics.store(progress, STATE_ID, BigInt(id))
    Atomics.store(progress, STATE_DEADLINE, process.hrtime.bigint() + BigInt(limitMs) * 1_000_000n)
  }
}

async function instantiate(policy: HeldPolicy): Promise<void> {
  if (policy.code instanceof Uint8Array) {
    const bytes = decompressCode(policy.code)
    policy.code = new WebAssembly.Module(bytes)
    // The module has a copy. Left to the garbage collector they make it look for garbage sooner.
    bytes.buffer.transfer(0)
  }
  policy.instance = await loadWithRoom(policy.code)
}

/** How much its constants need is in the module, where only its compiler reads it. */
async function loadWithRoom(code: WasmModule): Promise<LoadedPolicy> {
  try {
    return await loadPolicy(code, { initial: INITIAL_PAGES, maximum: MAXIMUM_PAGES })
  } catch (error) {
    if (!(error instanceof WebAssembly.LinkError)) throw error
    return loadPolicy(code, { initial: ROOMY_PAGES, maximum: MAXIMUM_PAGES })
  }
}

/** In bytes opa-wasm's fast path takes the input as it is. */
function encode(inputText: string): ArrayBuffer {
  const { buffer, byteLength } = utf8.encode(inputText)
  return buffer.byteLength === byteLength ? buffer : buffer.slice(0, byteLength)
}

const utf8 = new TextEncoder()

/** Both must answer a verdict of exactly their own shape; where there is no identity's, it is as one that allows. */
function resultOf(own: Answered | undefined, beside: Answered | undefined): EvaluationResult {
  const verdict = own === undefined ? ANY_IDENTITY : checkVerdict(own.answer)
  if (verdict === undefined) return failure('The policy answered no verdict.')
  if (beside === undefined) return resultFrom(verdict, verdict)
  const guardrails = checkGuardrailsVerdict(beside.answer)
  if (guardrails === undefined) return { ...failure('They answered no verdict.'), isOfGuardrails: true }
  return resultFrom(verdict, joinVerdicts(verdict, guardrails))
}

const ANY_IDENTITY: Verdict = { allow: true, rules: [], conditions: [], guardrails: [], roles: [] }

function resultFrom(own: Verdict, joined: Verdict): EvaluationResult {
  const met = own.rules.filter((rule) => rule.met)
  const denial = own.allow
    ? 'denied_by_guardrails'
    : met.length > 0
      ? 'denied_by_conditions'
      : 'condition_not_met'
  return {
    ok: true,
    allow: joined.allow,
    denial: joined.allow ? undefined : denial,
    groupMet: own.rules.some(({ conditions }) => conditions.group?.met === true),
    roles: joined.roles,
    ruleIds: met.map(({ id }) => id),
    verdictText: JSON.stringify(joined),
  }
}

function accessResultOf(answer: unknown): AccessEvaluation {
  const verdict = checkAccessVerdict(answer)
  if (verdict === undefined) return failure('The policy answered no verdict.')
  const { allow, reason } = verdict
  const denial = reason === 'allowed' ? undefined : reason
  return { ok: true, allow, denial, verdictText: JSON.stringify(verdict) }
}

function onlyResult(answers: unknown): unknown {
  const [answer, ...others] = Array.isArray(answers) ? answers : []
  const isOne = answer !== undefined && others.length === 0 && Object.keys(answer).join() === 'result'
  return isOne ? answer.result : undefined
}

/** An access decision is of one policy; there may be guardrails beside an identity's, or alone. */
function digestsOf({ digest, guardrailsDigest, isAccess }: EvaluationRequest): readonly string[] {
  const digests = isAccess ? [digest] : [digest, guardrailsDigest]
  return digests.filter((each) => each !== undefined)
}

/** The evaluations that stand here one after the other. */
function evaluationsFrom(commands: readonly WorkerCommand[], from: number): readonly Asked[] {
  const asked: Asked[] = []
  for (let at = from; ; at++) {
    const command = commands[at]
    if (command?.kind !== 'evaluate') return asked
    asked.push(command)
  }
}

/** opa-wasm throws texts and plain objects as well as errors. */
function failure(thrown: unknown): FailedEvaluation {
  if (thrown === INTERRUPTED) return { ok: false, reason: 'policy_timeout', cause: 'It was interrupted.' }
  const cause = (thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : messageOf(thrown)).slice(
    0,
    500,
  )
  const isMemory = /opa_malloc: failed|WebAssembly\.Memory|could not allocate memory/i.test(cause)
  return { ok: false, reason: isMemory ? 'policy_memory' : 'policy_error', cause }
}

function messageOf(thrown: unknown): string {
  if (typeof thrown === 'string') return thrown
  return JSON.stringify(thrown) ?? String(thrown)
}

if (parentPort !== null) {
  startWorker(parentPort, workerData as WorkerSettings)
  saveCompiledCode()
}
