import { setPriority } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import { loadPolicy } from '@open-policy-agent/opa-wasm'
import { checkVerdict } from './check-verdict.ts'
import {
  ENTRYPOINT,
  type EvaluationResult,
  INITIAL_PAGES,
  MAXIMUM_PAGES,
  STATE_DEADLINE,
  STATE_ID,
  STATE_PROCESSOR_TIME,
  type WorkerAnswer,
  type WorkerCommand,
  type WorkerSettings,
} from './evaluation.ts'

/** Node has it; only the types of browsers declare it. */
declare const WebAssembly: { readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => WasmModule }
type WasmModule = { readonly [Symbol.toStringTag]: string }
type LoadedPolicy = Awaited<ReturnType<typeof loadPolicy>>
type HeldPolicy = {
  /** Its bytes until it is first evaluated: the module keeps them for itself. */
  code: Uint8Array<ArrayBuffer> | WasmModule
  instance?: LoadedPolicy
}

const LOAD_DEADLINE_MS = 1000 // loading takes 3 ms, but compiling waits for a free core
const BACKGROUND_PRIORITY = 10 // a tenth of a processor that others want, all of one that nobody does
const ANSWER_AFTER_MS = 5 // what is answered is safe from being run again if the next one has to be stopped

/** Evaluates policies in a thread of its own, which can be stopped from outside: evaluating has no deadline itself. */
function startWorker(port: NonNullable<typeof parentPort>, settings: WorkerSettings): void {
  const { state, deadlineMs, isBackground } = settings
  // Of this thread alone: Linux has a priority for each, whatever the process's is.
  if (isBackground) setPriority(BACKGROUND_PRIORITY)
  // opa-wasm prints with it what a policy prints.
  console.log = () => undefined
  const progress = new BigInt64Array(state)
  const held = new Map<string, HeldPolicy>()
  let work = Promise.resolve()
  port.on('message', (commands: readonly WorkerCommand[]) => {
    work = work.then(() => obey(commands))
  })

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
      else if (command.kind === 'load') held.set(command.digest, { code: Uint8Array.from(command.wasm) })
      else {
        answers.push(await evaluate(command.id, held.get(command.digest), command.inputText))
        if (performance.now() - answered > ANSWER_AFTER_MS) answer()
      }
    }
    answer()
  }

  async function evaluate(
    id: number,
    policy: HeldPolicy | undefined,
    inputText: string,
  ): Promise<WorkerAnswer> {
    if (policy === undefined) return { id, result: failure('The policy is not loaded.'), memoryBytes: 0 }
    try {
      begin(id, policy.instance === undefined ? LOAD_DEADLINE_MS : deadlineMs)
      const instance = policy.instance ?? (await instantiate(policy))
      begin(id, deadlineMs)
      const result = resultOf(instance.evaluate(encode(inputText), ENTRYPOINT))
      return { id, result, memoryBytes: instance.mem.buffer.byteLength }
    } catch (error) {
      // What was thrown has left the instance's stack as it was: a thousand such and it is unusable.
      delete policy.instance
      return { id, result: failure(error), memoryBytes: 0 }
    } finally {
      Atomics.store(progress, STATE_DEADLINE, 0n)
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
  if (policy.code instanceof Uint8Array) policy.code = new WebAssembly.Module(policy.code)
  policy.instance = await loadPolicy(policy.code, { initial: INITIAL_PAGES, maximum: MAXIMUM_PAGES })
  return policy.instance
}

/** In bytes opa-wasm's fast path takes the input as it is. */
function encode(inputText: string): ArrayBuffer {
  const { buffer, byteOffset, byteLength } = new TextEncoder().encode(inputText)
  return buffer.slice(byteOffset, byteOffset + byteLength)
}

function resultOf(answers: unknown): EvaluationResult {
  const [answer, ...others] = Array.isArray(answers) ? answers : []
  const isOne = answer !== undefined && others.length === 0 && Object.keys(answer).join() === 'result'
  const verdict = isOne ? checkVerdict(answer.result) : undefined
  if (verdict === undefined) return failure('The policy answered no verdict.')
  return {
    ok: true,
    allow: verdict.allow,
    groupMet: verdict.rules.some(({ conditions }) => conditions.group?.met === true),
    roles: verdict.roles,
    ruleIds: verdict.rules.filter(({ met }) => met).map(({ id }) => id),
    verdictText: JSON.stringify(verdict),
  }
}

/** opa-wasm throws texts and plain objects as well as errors. */
function failure(thrown: unknown): EvaluationResult {
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

if (parentPort !== null) startWorker(parentPort, workerData as WorkerSettings)
