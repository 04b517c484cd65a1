import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { processorMsOfEnded } from './process-usage.ts'

/** `claimgate decisions verify` on a database, as a process of its own: what it says, and what it took. */
export async function runVerify(databaseUrl: string, identity: string) {
  const main = join(import.meta.dirname, '../src/main.ts')
  const startedAt = performance.now()
  const processorMsBefore = processorMsOfEnded()
  const child = spawn(process.execPath, [main, 'decisions', 'verify', '--json', '--identity', identity], {
    env: {
      ...process.env,
      DATABASE_URL: databaseUrl,
      ADMIN_TOKEN: 'x'.repeat(32),
      KEY_ENCRYPTION_KEY: Buffer.alloc(32).toString('base64'),
      LOG_LEVEL: 'fatal',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [output] = await Promise.all([text(child.stdout), once(child, 'exit')])
  const { verified, different } = JSON.parse(output)
  return {
    verified: Number(verified),
    different: Number(different),
    seconds: (performance.now() - startedAt) / 1000,
    processorMs: processorMsOfEnded() - processorMsBefore,
  }
}
