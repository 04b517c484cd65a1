import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

export type Service = {
  readonly url: string
  readonly adminToken: string
  /** Ends it as an operator would, and by force if it does not end within the time that it may take to drain. */
  close(): Promise<void>
}

export type ServiceOptions = {
  readonly port: number
  /** For its data, its secrets and its log. */
  readonly directory: string
  readonly privateIssuer: string
  readonly env: NodeJS.ProcessEnv
  readonly signal: AbortSignal
}

const READY_WITHIN_MS = 40_000
const LOOK_EVERY_MS = 50
const END_WITHIN_MS = 12_000

/** Starts the service as a process of its own on an embedded database. Throws with what it said if it does not start. */
export async function startService(options: ServiceOptions): Promise<Service> {
  const dataDir = join(options.directory, 'data')
  const logFile = join(options.directory, 'service.log')
  const url = `http://localhost:${options.port}`
  const child = spawnService(options, logFile, {
    PORT: String(options.port),
    PUBLIC_URL: url,
    DATA_DIR: dataDir,
    PRIVATE_ISSUERS: options.privateIssuer,
  })
  try {
    await untilReady(child, url, logFile, options.signal)
    const adminToken = readFileSync(join(dataDir, 'admin-token'), 'utf8').trim()
    return { url, adminToken, close: () => end(child) }
  } catch (error) {
    await end(child)
    throw error
  }
}

function spawnService(
  { env }: ServiceOptions,
  logFile: string,
  settings: Record<string, string>,
): ChildProcess {
  const log = openSync(logFile, 'a', 0o600)
  const main = join(import.meta.dirname, '../src/main.ts')
  // A group of its own: Ctrl-C is for us, who end it in order. Settings of a real service are not handed on.
  const service = spawn(process.execPath, [main, 'serve'], {
    detached: true,
    stdio: ['ignore', log, log],
    env: { ...only(env, ['PATH', 'HOME', 'TMPDIR', 'OPA_BIN']), ...settings },
  })
  closeSync(log)
  return service
}

function only(env: NodeJS.ProcessEnv, names: readonly string[]): NodeJS.ProcessEnv {
  return Object.fromEntries(names.filter((name) => env[name] !== undefined).map((name) => [name, env[name]]))
}

async function untilReady(
  child: ChildProcess,
  url: string,
  logFile: string,
  signal: AbortSignal,
): Promise<void> {
  for (const startedAt = performance.now(); performance.now() - startedAt < READY_WITHIN_MS; ) {
    if (hasEnded(child)) throw new Error(`The service did not start. ${reasonIn(logFile)}`)
    const answer = await fetch(`${url}/readyz`, { signal }).catch(() => undefined)
    await answer?.arrayBuffer()
    if (answer?.status === 200) return
    await pause(LOOK_EVERY_MS, undefined, { signal })
  }
  throw new Error(
    `The service was not ready after ${READY_WITHIN_MS / 1000} s:\n${readFileSync(logFile, 'utf8')}`,
  )
}

/** What stands between the log's lines of JSON is meant for people; without any, the log says what there is to know. */
function reasonIn(logFile: string): string {
  const log = readFileSync(logFile, 'utf8').trim()
  const plain = log.split('\n').filter((line) => !line.startsWith('{'))
  return plain.join('\n') || log
}

async function end(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  const force = setTimeout(() => child.kill('SIGKILL'), END_WITHIN_MS)
  await ended
  clearTimeout(force)
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null || child.pid === undefined
}
