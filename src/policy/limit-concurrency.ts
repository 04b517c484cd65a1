import { unavailable } from '../errors.ts'

export type LimitConcurrency = <Result>(run: () => Promise<Result>) => Promise<Result>

type Waiting = { readonly start: () => void; readonly timer: NodeJS.Timeout | undefined }

/**
 * Runs at most `running` tasks at a time and lets `waiting` more wait in turn, each for `waitMs` at most where that is
 * given: who asked for it has had another answer by then. Above that throws `unavailable`.
 */
export function limitConcurrency(
  running: number,
  waiting: number,
  busyMessage: string,
  waitMs?: number,
): LimitConcurrency {
  const queue = new Set<Waiting>()
  let active = 0
  const turn = () =>
    new Promise<void>((resolve, reject) => {
      const giveUp = () => {
        queue.delete(entry)
        reject(unavailable(busyMessage))
      }
      const timer = waitMs === undefined ? undefined : setTimeout(giveUp, waitMs)
      const entry: Waiting = { start: resolve, timer }
      queue.add(entry)
    })
  return async (run) => {
    if (active >= running) {
      if (queue.size >= waiting) throw unavailable(busyMessage)
      await turn()
    } else active++
    try {
      return await run()
    } finally {
      // The place goes straight to the next in line, so that nobody comes in between.
      const [next] = queue
      if (next === undefined) active--
      else {
        queue.delete(next)
        clearTimeout(next.timer)
        next.start()
      }
    }
  }
}
