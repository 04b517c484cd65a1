import { createWriteStream } from 'node:fs'
import { realpath, rename, rm, stat } from 'node:fs/promises'
import type { Writable } from 'node:stream'

/**
 * Writes a file that is there under its name only once it is whole, readable by its owner alone. `write` ends the
 * stream and is told by the signal to give up. What is no file, such as a pipe, is written to as it is.
 * Throws, and leaves nothing behind, where writing fails or the process is told to end.
 */
export async function writeWhole(
  path: string,
  write: (file: Writable, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const target = await realpath(path).catch(() => path)
  const isFile = await stat(target).then(
    (found) => found.isFile(),
    () => true,
  )
  const partial = isFile ? `${target}.${process.pid}.partial` : undefined
  const interruption = new AbortController()
  const interrupt = () => interruption.abort()
  for (const name of SIGNALS) process.on(name, interrupt)
  try {
    const file = createWriteStream(
      partial ?? target,
      partial === undefined ? {} : { flags: 'wx', mode: 0o600, flush: true },
    )
    await write(file, interruption.signal)
    if (partial !== undefined) await rename(partial, target)
  } catch (error) {
    if (partial !== undefined) await rm(partial, { force: true })
    if (interruption.signal.aborted) throw new Error(`It was interrupted, and ${path} was not written.`)
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error
    throw new Error(`${path} could not be written.`, { cause: error })
  } finally {
    for (const name of SIGNALS) process.off(name, interrupt)
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
