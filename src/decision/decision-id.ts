import { randomFillSync } from 'node:crypto'
import { v7 } from 'uuid'

/** Of each id, and how many ids' are drawn at once: a call for those of each took ten times as long (measured). */
const RANDOM_BYTES = 16
const DRAWN_AT_ONCE = 256

/** Makes UUIDv7 ids (RFC 9562 §5.7) of the milliseconds it is given, that rise from call to call also within one. */
export function createDecisionIds(): (timeMs: number) => string {
  const drawn = Buffer.alloc(RANDOM_BYTES * DRAWN_AT_ONCE)
  let used = drawn.length
  let lastMs = Number.NEGATIVE_INFINITY
  let sequence = 0
  return (timeMs) => {
    if (used === drawn.length) {
      randomFillSync(drawn)
      used = 0
    }
    const random = drawn.subarray(used, used + RANDOM_BYTES)
    used += RANDOM_BYTES
    // Half of the 32 bits are left to count up in. The id itself takes none of these four bytes.
    sequence = timeMs === lastMs ? sequence + 1 : random.readUInt32BE(0) >>> 1
    lastMs = timeMs
    return v7({ msecs: timeMs, seq: sequence, random })
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
