import { observeParts } from '../telemetry/observe-parts.ts'
import type { Parts } from './parts.ts'

/** Has the metrics read, when they are asked for, what the parts know of themselves. */
export function watchParts({ telemetry, db, identityCache, issuerCache, evaluator, keys }: Parts): void {
  observeParts(telemetry.metrics, {
    connections: db.connections,
    caches: {
      identities: identityCache.stats,
      issuers: issuerCache.stats,
      policies() {
        const { hits, misses, policies } = evaluator.stats()
        return { hits, misses, entries: policies }
      },
    },
    policies: evaluator.stats,
    signingKey: keys.times,
  })
}
