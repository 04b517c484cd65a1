import { unavailable } from '../errors.ts'

export type LimitConcurrency = <Result>(run: () => Promise<Result>) => Promise<Result>

/** Runs at most `running` tasks at a time and lets `waiting` more wait in turn; above that throws `unavailable`. */
export function limitConcurrency(running: number, waiting: number, busyMessage: string): LimitConcurrency {
  const queue: (() => void)[] = []
  let active = 0
  return async (run) => {
    if (active >= running) {
      if (queue.length >= waiting) throw unavailable(busyMessage)
      await new Promise<void>((resolve) => queue.push(resolve))
    } else active++
    try {
      return await run()
    } finally {
      // The place goes straight to the next in line, so that nobody comes in between.
      const next = queue.shift()
      if (next === undefined) active--
      else next()
    }
  }
}
