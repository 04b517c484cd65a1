import { ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** The service as an operator runs it: a process of its own, with the system's clock. */
export type ServiceProcess = {
  readonly url: string
  readonly child: ChildProcess
  /** Every line that it has written to stdout and stderr so far. */
  readonly lines: readonly string[]
  /** Sends a signal and resolves with the exit code (null where a signal ended it). */
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

/** Where the service's sources are, and as whom it runs. */
export type ServicePlace = { readonly main?: string; readonly uid?: number }

/** What a process of ours is given beside its settings: Node's cache of compiled code, where the runner made one. */
export function processEnv(): NodeJS.ProcessEnv {
  const { PATH, NODE_COMPILE_CACHE } = process.env
  return { PATH, ...(NODE_COMPILE_CACHE !== undefined && { NODE_COMPILE_CACHE }) }
}

/** Starts `claimgate serve` with exactly these settings; throws what it printed where it does not come to listen. */
export async function startServiceProcess(
  env: Readonly<Record<string, string>>,
  { main = fileURLToPath(new URL('../../src/main.ts', import.meta.url)), uid }: ServicePlace = {},
): Promise<ServiceProcess> {
  const child = spawn(process.execPath, [main, 'serve'], {
    env: { ...processEnv(), ...env },
    ...(uid !== undefined && { uid, gid: uid }),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  // A test that ends before it stopped what it started leaves nobody behind.
  const kill = () => void child.kill('SIGKILL')
  process.once('exit', kill)
  child.once('close', () => process.off('exit', kill))
  const lines: string[] = []
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stderr }).on('line', (line) => lines.push(line))
    createInterface({ input: child.stdout }).on('line', (line) => {
      lines.push(line)
      if (line.includes('"listening"')) resolve(JSON.parse(line).url)
    })
    child.once('close', (code) => reject(new Error(`It ended with ${code}: ${lines.join('\n')}`)))
  })
  hold(child, false)
  return {
    url,
    child,
    lines,
    async stop(signal = 'SIGTERM') {
      if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
      hold(child, true)
      const closed = once(child, 'close')
      child.kill(signal)
      await closed
      return child.exitCode
    },
  }
}

/** Whether a process keeps this one from ending: one that a test that failed left running must not. */
function hold(child: ChildProcess, isHeld: boolean): void {
  for (const each of [child, child.stdout, child.stderr]) {
    if (each instanceof ChildProcess || each instanceof Socket) isHeld ? each.ref() : each.unref()
  }
}
