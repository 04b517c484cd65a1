import { observeParts } from '../telemetry/observe-parts.ts'
import type { Parts } from './parts.ts'

/** Has the metrics read, when they are asked for, what the parts know of themselves. */
export function watchParts(parts: Parts): void {
  const { telemetry, db, identityCache, issuerCache, membershipCache, liveTokens, evaluator, keys } = parts
  observeParts(telemetry.metrics, {
    connections: db.connections,
    caches: {
      identities: identityCache.stats,
      issuers: issuerCache.stats,
      memberships: membershipCache.stats,
      live_tokens: liveTokens.stats,
      policies() {
        const { hits, misses, policies } = evaluator.stats()
        return { hits, misses, entries: policies }
      },
    },
    policies: evaluator.stats,
    signingKey: keys.times,
  })
}
