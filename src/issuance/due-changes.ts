import type { StoredSigningKey } from './signing-key.ts'

export type DueChanges = {
  /** The pending key that begins to sign. */
  readonly activate: string | undefined
  /** The retired keys whose last token has expired. */
  readonly drop: readonly string[]
  /** Whether the key that signs is so old that the next one is to be published. */
  readonly publish: boolean
}

const DAY_MS = 86_400_000

/** What is to be done with the published keys at a moment; `rotationDays` 0: none is replaced by itself. */
export function dueChanges(
  keys: readonly StoredSigningKey[],
  nowMs: number,
  rotationDays: number,
): DueChanges {
  const pending = keys.find(({ state }) => state === 'PENDING')
  const next = nextRotation(keys, rotationDays)
  return {
    activate: isOver(pending?.activateTime, nowMs) ? pending?.kid : undefined,
    drop: keys
      .filter(({ state, dropTime }) => state === 'RETIRED' && isOver(dropTime, nowMs))
      .map(({ kid }) => kid),
    publish: pending === undefined && next !== undefined && next <= nowMs,
  }
}

/** When the next key begins to sign or, where there is none yet, is published; undefined: never. */
export function nextRotation(keys: readonly StoredSigningKey[], rotationDays: number): number | undefined {
  const pending = keys.find(({ state }) => state === 'PENDING')
  if (pending !== undefined) return pending.activateTime?.getTime()
  const since = keys.find(({ state }) => state === 'ACTIVE')?.activateTime
  return rotationDays === 0 || !since ? undefined : since.getTime() + rotationDays * DAY_MS
}

function isOver(time: Date | null | undefined, nowMs: number): boolean {
  return time instanceof Date && time.getTime() <= nowMs
}
