import { randomBytes } from 'node:crypto'
import { v7 } from 'uuid'
import type { Clock } from '../clock.ts'

/** Makes UUIDv7 ids (RFC 9562 §5.7) that rise from call to call, also within one millisecond of `clock`. */
export function createDecisionIds(clock: Clock): () => string {
  let lastMs = Number.NEGATIVE_INFINITY
  let sequence = 0
  return () => {
    const nowMs = clock()
    // Half of the 32 bits are left to count up in.
    sequence = nowMs === lastMs ? sequence + 1 : randomBytes(4).readUInt32BE() >>> 1
    lastMs = nowMs
    return v7({ msecs: nowMs, seq: sequence })
  }
}
