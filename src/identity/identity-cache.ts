import { type CacheStats, createRowCache } from '../db/row-cache.ts'
import type { IdentityStore, StoredIdentity } from './identity-store.ts'

export type IdentityCache = {
  /** `cached`: it took no query. */
  find(email: string): Promise<{ identity: StoredIdentity | undefined; cached: boolean }>
  forget(email: string): void
  stats(): CacheStats
}

/** Some 3 kB each; whoever is dropped costs one query. */
const MAX_IDENTITIES = 10_000

/** Remembers identities until a decision finds their revision gone. */
export function createIdentityCache(store: Pick<IdentityStore, 'findToJudge'>): IdentityCache {
  const rows = createRowCache({ max: MAX_IDENTITIES, load: store.findToJudge })
  return {
    ...rows,
    async find(email) {
      const { row, cached } = await rows.find(email)
      return { identity: row, cached }
    },
  }
}
