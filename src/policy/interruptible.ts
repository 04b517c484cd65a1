import { Script } from 'node:vm'

/** What it says of a function that was given up. */
export const INTERRUPTED = Symbol('interrupted')

/** Tries with less than half of the limit of a processor's time do not count, as on a machine with more to do. */
const MAX_TRIES = 20

/**
 * Makes a caller of functions that gives one up after so many milliseconds, in this very thread, which goes on: to end
 * the thread instead takes twenty times as much as what it was at. A call takes 0.1 ms more than without, so that what is
 * called had better be more than one evaluation.
 */
export function createInterruptible(limitMs: number): <T>(work: () => T) => T | typeof INTERRUPTED {
  const script = new Script('globalThis[Symbol.for("claimgate interruptible")]()')
  const work = Symbol.for('claimgate interruptible')
  const call = <T>(): T | typeof INTERRUPTED => {
    try {
      return script.runInThisContext({ timeout: limitMs })
    } catch (error) {
      if ((error as NodeJS.ErrnoException)?.code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error
      return INTERRUPTED
    }
  }
  return <T>(given: () => T) => {
    Object.defineProperty(globalThis, work, { value: given, configurable: true })
    for (let tries = 1; ; tries++) {
      const before = process.threadCpuUsage()
      const result = call<T>()
      if (result !== INTERRUPTED || tries === MAX_TRIES) return result
      const { user, system } = process.threadCpuUsage(before)
      if (user + system > (limitMs * 1000) / 2) return result
    }
  }
}
