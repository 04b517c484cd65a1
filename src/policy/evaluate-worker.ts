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
declare const WebAssembly: { readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => WasmModule }
type WasmModule = { readonly [Symbol.toStringTag]: string }
type LoadedPolicy = Awaited<ReturnType<typeof loadPolicy>>
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
    for (const command of commands) {
      if (command.kind === 'drop') held.delete(command.digest)
      else if (command.kind === 'load') held.set(command.digest, { code: command.code })
      else {
        answers.push(await evaluate(command.id, command))
        if (performance.now() - answered > ANSWER_AFTER_MS) answer()
      }
    }
    answer()
  }

  async function evaluate(id: number, request: EvaluationRequest): Promise<WorkerAnswer> {
    const { digest, guardrailsDigest, inputText } = request
    try {
      if (request.isAccess && digest !== undefined) {
        const { answer, memoryBytes } = await run(id, digest, ACCESS_ENTRYPOINT, inputText)
        return { id, result: accessResultOf(answer), memoryBytes }
      }
      const own = digest === undefined ? undefined : await run(id, digest, ENTRYPOINT, inputText)
      const beside =
        guardrailsDigest === undefined
          ? undefined
          : await run(id, guardrailsDigest, GUARDRAILS_ENTRYPOINT, inputText)
      const memoryBytes = own?.memoryBytes ?? beside?.memoryBytes ?? 0
      return { id, result: resultOf(own, beside), memoryBytes }
    } catch (error) {
      return { id, result: failure(error), memoryBytes: 0 }
    } finally {
      Atomics.store(progress, STATE_DEADLINE, 0n)
    }
  }

  async function run(id: number, digest: string, entrypoint: string, inputText: string): Promise<Answered> {
    const policy = held.get(digest)
    if (policy === undefined) throw 'The policy is not loaded.'
    try {
      if (policy.instance === undefined) begin(id, LOAD_DEADLINE_MS)
      const instance = policy.instance ?? (await instantiate(policy))
      begin(id, isBackground ? deadlineMs * INTERRUPTED_BY_THEN : deadlineMs)
      const answers: unknown = call(() => instance.evaluate(encode(inputText), entrypoint))
      if (answers === INTERRUPTED) throw INTERRUPTED
      return { answer: onlyResult(answers), memoryBytes: instance.mem.buffer.byteLength }
    } catch (error) {
      // What was thrown has left the instance's stack as it was: a thousand such and it is unusable.
      delete policy.instance
      throw error
    }
  }

  function begin(id: number, limitMs: number): void {
    Atomics.store(progress, STATE_DEADLINE, 0n)
    Atomics.store(progress, STATE_ID, BigInt(id))
    const { user, system } = process.threadCpuUsage()
    Atomics.store(progress, STATE_PROCESSOR_TIME, BigInt(user + system))
    Atomics.store(progress, STATE_DEADLINE, process.hrtime.bigint() + BigInt(limitMs) * 1_000_000n)
  }
}

async function instantiate(policy: HeldPolicy): Promise<LoadedPolicy> {
  if (policy.code instanceof Uint8Array) {
    const bytes = decompressCode(policy.code)
    policy.code = new WebAssembly.Module(bytes)
    // The module has a copy. Left to the garbage collector they make it look for garbage sooner.
    bytes.buffer.transfer(0)
  }
  policy.instance = await loadPolicy(policy.code, { initial: INITIAL_PAGES, maximum: MAXIMUM_PAGES })
  return policy.instance
}

/** In bytes opa-wasm's fast path takes the input as it is. */
function encode(inputText: string): ArrayBuffer {
  const { buffer, byteOffset, byteLength } = new TextEncoder().encode(inputText)
  return buffer.slice(byteOffset, byteOffset + byteLength)
}

/** Both must answer a verdict of exactly their own shape; where there is no identity's, it is as one that allows. */
function resultOf(own: Answered | undefined, beside: Answered | undefined): EvaluationResult {
  const verdict = own === undefined ? ANY_IDENTITY : checkVerdict(own.answer)
  if (verdict === undefined) return failure('The policy answered no verdict.')
  if (beside === undefined) return resultFrom(verdict, verdict)
  const guardrails = checkGuardrailsVerdict(beside.answer)
  if (guardrails === undefined) return failure('The guardrails answered no verdict.')
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
