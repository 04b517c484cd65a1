import { LRUCache } from 'lru-cache'
import type { IdentityStore, StoredIdentity } from './identity-store.ts'

export type IdentityCache = {
  /** `cached`: it took no query. Unknown emails are never cached, so that nobody can fill the cache with them. */
  find(email: string): Promise<{ identity: StoredIdentity | undefined; cached: boolean }>
  forget(email: string): void
  stats(): { readonly hits: number; readonly misses: number; readonly entries: number }
}

/** Some 3 kB each; whoever is dropped costs one query. */
const MAX_IDENTITIES = 10_000

/**
 * Remembers identities without a time limit: the statement that records a decision refuses one made on a revision
 * that is no longer current, and what was remembered is then forgotten.
 */
export function createIdentityCache(store: Pick<IdentityStore, 'find'>): IdentityCache {
  const identities = new LRUCache<string, StoredIdentity>({ max: MAX_IDENTITIES })
  let [hits, misses] = [0, 0]
  return {
    async find(email) {
      const known = identities.get(email)
      if (known !== undefined) {
        hits++
        return { identity: known, cached: true }
      }
      misses++
      const identity = await store.find(email)
      if (identity !== undefined) identities.set(email, identity)
      return { identity, cached: false }
    },
    forget(email) {
      identities.delete(email)
    },
    stats: () => ({ hits, misses, entries: identities.size }),
  }
}
