import { type CacheStats, createRowCache } from '../db/row-cache.ts'
import type { Issuer } from './issuer.ts'
import type { IssuerStore } from './issuer-store.ts'

export type IssuerCache = {
  find(issuerUrl: string): Promise<Issuer | undefined>
  forget(issuerUrl: string): void
  stats(): CacheStats
}

const MAX_ISSUERS = 1_000

/**
 * Remembers active issuers until a decision finds their revision gone. All others are asked for each time: a refusal
 * for want of an issuer stands on no revision, so nothing would find out that another instance enabled it again.
 */
export function createIssuerCache(store: Pick<IssuerStore, 'findByUrl'>): IssuerCache {
  const rows = createRowCache<Issuer>({
    max: MAX_ISSUERS,
    load: store.findByUrl,
    isKept: ({ state }) => state === 'ACTIVE',
  })
  return { ...rows, find: async (issuerUrl) => (await rows.find(issuerUrl)).row }
}
