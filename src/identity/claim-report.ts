import { LRUCache } from 'lru-cache'
import type { Log } from '../log.ts'

/** Providers have some forty claims; what signs a thousand others has said enough. */
const MAX_REPORTED = 1_000

/** Makes the report of claims that this version does not know, each once: a provider sends something new. */
export function createClaimReport(log: Log): (names: readonly string[]) => void {
  const reported = new LRUCache<string, true>({ max: MAX_REPORTED })
  return (names) => {
    for (const name of names) {
      if (reported.has(name)) continue
      reported.set(name, true)
      log.info({ claim: name.slice(0, 100) }, 'a token has a claim that this version does not know')
    }
  }
}
