import { LRUCache } from 'lru-cache'
import type { Clock } from '../clock.ts'

export type WindowCounter = {
  /** Counts one more; returns how many that makes in the key's window. */
  add(key: string): number
  countOf(key: string): number
  /** Until the key's window ends: whole seconds, at least 1. */
  secondsLeft(key: string): number
}

const WINDOW_MS = 60_000

/**
 * Counts by key in windows of a minute, each of which begins with its key's first count. The least recently counted
 * key is forgotten where there are more than `maxKeys`, so whoever has that many counts anew.
 */
export function createWindowCounter(clock: Clock, maxKeys: number): WindowCounter {
  const windows = new LRUCache<string, { readonly startMs: number; count: number }>({ max: maxKeys })

  function openWindow(key: string) {
    const window = windows.get(key)
    if (window === undefined) return undefined
    const age = clock() - window.startMs
    // A clock that was set back must not keep a window open for as long.
    return age >= 0 && age < WINDOW_MS ? window : undefined
  }

  return {
    add(key) {
      const window = openWindow(key)
      if (window !== undefined) return ++window.count
      windows.set(key, { startMs: clock(), count: 1 })
      return 1
    },
    countOf: (key) => openWindow(key)?.count ?? 0,
    secondsLeft(key) {
      const window = openWindow(key)
      return window === undefined ? 1 : Math.ceil((window.startMs + WINDOW_MS - clock()) / 1000)
    },
  }
}
