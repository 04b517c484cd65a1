import { LRUCache } from 'lru-cache'

export type RowCache<Row> = {
  /** `cached`: it took no query. */
  find(key: string): Promise<{ readonly row: Row | undefined; readonly cached: boolean }>
  forget(key: string): void
  stats(): CacheStats
}

export type CacheStats = { readonly hits: number; readonly misses: number; readonly entries: number }

/**
 * Remembers what was read of the database, without a time limit: for what a decision names by its revision, since the
 * statement that records one refuses a revision which is no longer current, and what was remembered is then forgotten.
 * What is not there is never remembered, so that nobody can fill the cache with it.
 */
export function createRowCache<Row extends object>(deps: {
  /** How many; beyond it the least recently used leaves. */
  readonly max: number
  readonly load: (key: string) => Promise<Row | undefined>
  /** Whether a row may be remembered; all may where it is absent. */
  readonly isKept?: (row: Row) => boolean
}): RowCache<Row> {
  const { max, load, isKept = () => true } = deps
  const rows = new LRUCache<string, Row>({ max })
  let [hits, misses] = [0, 0]
  return {
    async find(key) {
      const known = rows.get(key)
      if (known !== undefined) {
        hits++
        return { row: known, cached: true }
      }
      misses++
      const row = await load(key)
      if (row !== undefined && isKept(row)) rows.set(key, row)
      return { row, cached: false }
    },
    forget(key) {
      rows.delete(key)
    },
    stats: () => ({ hits, misses, entries: rows.size }),
  }
}
