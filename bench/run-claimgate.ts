import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { processorMsOfEnded } from './process-usage.ts'

/** A command of `claimgate` as a process of its own: what it says in JSON, and what it took. */
export async function runClaimgate(args: readonly string[], env: Readonly<Record<string, string>>) {
  const main = join(import.meta.dirname, '../src/main.ts')
  const startedAt = performance.now()
  const processorMsBefore = processorMsOfEnded()
  const child = spawn(process.execPath, [main, ...args, '--json'], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [output] = await Promise.all([text(child.stdout), once(child, 'exit')])
  if (output === '') throw new Error(`claimgate ${args.join(' ')} ended with ${child.exitCode}.`)
  return {
    answer: JSON.parse(output),
    seconds: (performance.now() - startedAt) / 1000,
    processorMs: processorMsOfEnded() - processorMsBefore,
  }
}
