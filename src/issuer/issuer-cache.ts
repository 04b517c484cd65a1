import { LRUCache } from 'lru-cache'
import type { Issuer } from './issuer.ts'
import type { IssuerStore } from './issuer-store.ts'

export type IssuerCache = {
  find(issuerUrl: string): Promise<Issuer | undefined>
  forget(issuerUrl: string): void
  stats(): { readonly hits: number; readonly misses: number; readonly entries: number }
}

const MAX_ISSUERS = 1_000

/**
 * Remembers active issuers until a decision finds their revision gone. All others are asked for each time: a refusal
 * for want of an issuer stands on no revision, so nothing would find out that another instance enabled it again.
 */
export function createIssuerCache(store: Pick<IssuerStore, 'findByUrl'>): IssuerCache {
  const issuers = new LRUCache<string, Issuer>({ max: MAX_ISSUERS })
  let [hits, misses] = [0, 0]
  return {
    async find(issuerUrl) {
      const known = issuers.get(issuerUrl)
      if (known !== undefined) {
        hits++
        return known
      }
      misses++
      const issuer = await store.findByUrl(issuerUrl)
      if (issuer?.state === 'ACTIVE') issuers.set(issuerUrl, issuer)
      return issuer
    },
    forget(issuerUrl) {
      issuers.delete(issuerUrl)
    },
    stats: () => ({ hits, misses, entries: issuers.size }),
  }
}
