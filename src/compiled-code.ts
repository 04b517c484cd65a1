import { enableCompileCache, flushCompileCache, getCompileCacheDir } from 'node:module'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Beside the code, so that whoever can write there could change the code as well; where nobody can, it is only read. */
const DIRECTORY = fileURLToPath(new URL('../node_modules/.cache/claimgate', import.meta.url))

/**
 * Has Node keep what it makes of sources: types stripped, compiled. A command starts in half the time so, a thread in
 * half of its own and with 8 MB less (measured). A NODE_COMPILE_CACHE that is set keeps its meaning.
 */
export function keepCompiledCode(): void {
  enableCompileCache(DIRECTORY)
}

/** The environment of a worker thread: no setting of ours, only where compiled code is kept. */
export function threadEnvironment(): Readonly<Record<string, string>> {
  const directory = getCompileCacheDir()
  // Node appends its own version to the directory that it is given.
  return directory === undefined ? {} : { NODE_COMPILE_CACHE: dirname(directory) }
}

/** Writes what this thread has compiled by now; without it that is written when the thread ends by itself, or never. */
export function saveCompiledCode(): void {
  flushCompileCache()
}
