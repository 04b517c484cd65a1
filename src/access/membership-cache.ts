import { type CacheStats, createRowCache } from '../db/row-cache.ts'
import type { MembershipStore, ProjectMemberships } from './membership-store.ts'

export type MembershipCache = {
  find(identityId: string, projectId: string): Promise<ProjectMemberships | undefined>
  forget(identityId: string, projectId: string): void
  stats(): CacheStats
}

/** Some half a kilobyte each. */
const MAX_ENTRIES = 20_000

/** Remembers what identities are bound to in projects until an access decision finds one of the revisions gone. */
export function createMembershipCache(store: MembershipStore): MembershipCache {
  const rows = createRowCache({
    max: MAX_ENTRIES,
    load: (key) => store.find(key.slice(0, UUID_LENGTH), key.slice(UUID_LENGTH)),
  })
  return {
    async find(identityId, projectId) {
      return (await rows.find(identityId + projectId)).row
    },
    forget: (identityId, projectId) => rows.forget(identityId + projectId),
    stats: rows.stats,
  }
}

const UUID_LENGTH = 36
