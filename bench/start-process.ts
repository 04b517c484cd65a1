import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { type ProcessUsage, usageOf } from './process-usage.ts'

/** A server that is measured, in a process of its own. */
export type ServerProcess = {
  readonly url: string
  readonly usage: () => ProcessUsage
  /** Lets it end as it does in service, and by force after 15 s. */
  stop(): Promise<void>
}

export type ProcessOptions = {
  readonly command: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Where it listens once it is up; the path is asked until it answers anything but a 503. */
  readonly url: string
  readonly readyPath: string
  /** A file for what it prints. A pipe would have us read along while it is measured. */
  readonly logFile: string
}

const READY_WITHIN_MS = 30_000
const LOOK_EVERY_MS = 50
const END_WITHIN_MS = 15_000

export async function startProcess(options: ProcessOptions): Promise<ServerProcess> {
  const log = openSync(options.logFile, 'a', 0o600)
  const env = { PATH: process.env.PATH, ...options.env }
  const child = spawn(options.command, options.args, { stdio: ['ignore', log, log], env })
  closeSync(log)
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null || child.pid === undefined
  const server: ServerProcess = {
    url: options.url,
    usage: () => usageOf(child.pid ?? 0),
    async stop() {
      if (hasEnded()) return
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      const force = setTimeout(() => child.kill('SIGKILL'), END_WITHIN_MS)
      await ended
      clearTimeout(force)
    },
  }
  const failed = () =>
    new Error(`${options.command} did not start:\n${readFileSync(options.logFile, 'utf8')}`)
  child.on('error', () => undefined)
  for (const startedAt = performance.now(); performance.now() - startedAt < READY_WITHIN_MS; ) {
    if (hasEnded()) throw failed()
    const answer = await fetch(`${options.url}${options.readyPath}`).catch(() => undefined)
    await answer?.arrayBuffer()
    if (answer !== undefined && answer.status !== 503) return server
    await pause(LOOK_EVERY_MS)
  }
  await server.stop()
  throw failed()
}
