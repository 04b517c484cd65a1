import { randomBytes } from 'node:crypto'
import { v7 } from 'uuid'

/** Makes UUIDv7 ids (RFC 9562 §5.7) of the milliseconds it is given, that rise from call to call also within one. */
export function createDecisionIds(): (timeMs: number) => string {
  let lastMs = Number.NEGATIVE_INFINITY
  let sequence = 0
  return (timeMs) => {
    // Half of the 32 bits are left to count up in.
    sequence = timeMs === lastMs ? sequence + 1 : randomBytes(4).readUInt32BE() >>> 1
    lastMs = timeMs
    return v7({ msecs: timeMs, seq: sequence })
  }
}

/** The least id that a decision of this time or a later one can have. */
export function firstIdAt(timeMs: number): string {
  const hex = Math.max(timeMs, 0).toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`
}

/** When a decision with this id was made, in milliseconds since the epoch. */
export function timeOfId(id: string): number {
  return Number.parseInt(id.replace('-', '').slice(0, 12), 16)
}
