import { createPrivateKey, createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import type { JWK } from 'jose'
import { unavailable } from '../errors.ts'
import type { Log } from '../log.ts'
import { dueChanges, nextRotation } from './due-changes.ts'
import type { KeyEncryption } from './key-encryption.ts'
import { advanceSigningKeys, makeFirstSigningKey, type RotateDeps } from './rotate-signing-keys.ts'
import {
  CLOCK_DIFFERENCE_MS,
  JWKS_MAX_AGE_MS,
  PUBLISHED_AHEAD_MS,
  type StoredSigningKey,
} from './signing-key.ts'
import { readPublishedKeys, resealSigningKey } from './signing-key-store.ts'

export type SigningKeysDeps = RotateDeps & {
  readonly encryption: KeyEncryption
  readonly log: Log
  /** After how many days a key is replaced; 0: never by itself. */
  readonly signingKeyRotationDays: number
  /** Told each private key that is not needed any more. */
  readonly forget?: (key: KeyObject) => void
}

/** The keys as they were when they were last read, and what reads them anew. */
export type SigningKeys = {
  /** The id of the key that signs. Throws `unavailable` where this instance has none. */
  activeKeyId(): string
  /** The private key of one that signs, or did so a moment ago and was not taken away. */
  findPrivateKey(kid: string): KeyObject | undefined
  /** The published key that a token of ours names. */
  findPublicKey(kid: string): Promise<KeyObject | undefined>
  /** Whether they were read so lately that a token may leave on them. */
  areFresh(): boolean
  /** Reads them anew, and does what is due with them. Throws what the database says; then all stays as it was. */
  refresh(): Promise<void>
  /** For `/.well-known/jwks.json`, and for how long a verifier may keep them. */
  publish(): Promise<{ readonly keys: readonly JWK[]; readonly maxAgeSeconds: number }>
  /** Throws `unavailable` unless tokens can be signed here. */
  check(): Promise<void>
  /** Milliseconds since the epoch. */
  times(): { readonly createTime: number; readonly nextTime: number | undefined }
  [Symbol.asyncDispose](): Promise<void>
}

/** A process asks the database so often, so that it soon knows what another one did. */
const POLL_MS = 2_000
/** Some polls may fail; a process that stood still for longer asks before a token leaves it. */
const FRESH_FOR_MS = 5_000
/** Longer than an exchange takes from its decision to its token. */
const NEEDED_AFTER_RETIREMENT_MS = 30_000
/** Of a set that may be out of date: who has it asks again soon. */
const MIN_MAX_AGE_MS = 10_000

/** What was read at a moment. */
type Snapshot = {
  readonly readAt: number
  readonly keys: readonly StoredSigningKey[]
  readonly active: StoredSigningKey | undefined
  readonly publicKeys: ReadonlyMap<string, KeyObject>
}

/**
 * Opens the signing keys and keeps them up to date; the very first start makes one. What is sealed under another than
 * the first encryption key is sealed anew.
 * Throws where a key that signs or will sign cannot be opened with the configured encryption keys.
 */
export async function openSigningKeys(deps: SigningKeysDeps): Promise<SigningKeys> {
  const { db, encryption, clock, log, signingKeyRotationDays: rotationDays } = deps
  const privateKeys = new Map<string, KeyObject>()
  const troubles = tellingOnce(log)
  let current = snapshotOf(await readOrMakeKeys(deps), clock())
  for (const { kid, sealed } of current.keys) {
    if (sealed === null) continue
    privateKeys.set(kid, await openPrivateKey(encryption, kid, sealed))
    if (encryption.sealedBy(sealed) > 0) await reseal(deps, kid, sealed)
  }

  async function read(): Promise<void> {
    // Before the query: what is committed while it runs may be missing.
    const readAt = clock()
    const keys = await readPublishedKeys(db)
    await openAll(keys)
    const before = current
    current = snapshotOf(keys, readAt, before)
    tellOfChanges(before)
    forgetOthers(readAt)
  }

  async function openAll(keys: readonly StoredSigningKey[]): Promise<void> {
    for (const { kid, sealed } of keys) {
      if (sealed === null || privateKeys.has(kid)) continue
      await troubles.in(`the signing key ${kid} cannot be opened: check KEY_ENCRYPTION_KEY`, async () => {
        privateKeys.set(kid, await openPrivateKey(encryption, kid, sealed))
      })
    }
  }

  function tellOfChanges(before: Snapshot): void {
    const isNew = ({ kid }: StoredSigningKey) => !before.keys.some((key) => key.kid === kid)
    const pending = current.keys.find(({ state }) => state === 'PENDING')
    if (pending !== undefined && isNew(pending))
      log.info({ kid: pending.kid, activateTime: pending.activateTime }, 'the next signing key is published')
    if (current.active !== undefined && current.active.kid !== before.active?.kid)
      log.info({ kid: current.active.kid }, 'another key signs access tokens')
  }

  function forgetOthers(nowMs: number): void {
    for (const [kid, privateKey] of privateKeys) {
      if (current.keys.some((key) => key.kid === kid && isNeeded(key, nowMs))) continue
      privateKeys.delete(kid)
      deps.forget?.(privateKey)
    }
  }

  const refresh = sharingReads(async () => {
    await read()
    const { activate, drop, publish } = dueChanges(current.keys, clock(), rotationDays)
    const canActivate = activate !== undefined && privateKeys.has(activate)
    if (!canActivate && drop.length === 0 && !publish) return
    await troubles.in('signing keys could not be rotated', () =>
      advanceSigningKeys({ ...deps, rotationDays }, (kid) => privateKeys.has(kid)),
    )
    await read()
  })

  const poll = async () => {
    if (!isWithin(current.readAt, clock(), POLL_MS))
      await troubles.in('the signing keys could not be read', refresh)
  }
  function activeKeyId(): string {
    const { active } = current
    if (active !== undefined && privateKeys.has(active.kid)) return active.kid
    // Why is for the log and for doctor: anybody may read this.
    throw unavailable('No signing key can be used here.')
  }

  await refresh()
  let polling = Promise.resolve()
  const timer = setInterval(() => {
    polling = poll()
  }, POLL_MS)
  timer.unref()
  return {
    activeKeyId,
    findPrivateKey: (kid) => privateKeys.get(kid),
    async findPublicKey(kid) {
      // One that was made a moment ago may sign already, where those before it were taken away.
      if (!current.publicKeys.has(kid)) await refresh().catch(() => undefined)
      return current.publicKeys.get(kid)
    },
    areFresh: () => isWithin(current.readAt, clock(), FRESH_FOR_MS),
    refresh,
    async publish() {
      // Verifiers need the keys also while the database is down.
      await refresh().catch(() => undefined)
      return {
        keys: current.keys.map(({ publicJwk }) => publicJwk),
        maxAgeSeconds: Math.floor(maxAgeMs(current.readAt, clock()) / 1000),
      }
    },
    async check() {
      await refresh()
      activeKeyId()
    },
    times: () => ({
      createTime: current.active?.createTime.getTime() ?? 0,
      nextTime: nextRotation(current.keys, rotationDays),
    }),
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      await polling
    },
  }
}

async function readOrMakeKeys(deps: SigningKeysDeps): Promise<readonly StoredSigningKey[]> {
  const keys = await readPublishedKeys(deps.db)
  if (keys.some(({ state }) => state === 'ACTIVE')) return keys
  await makeFirstSigningKey(deps)
  return readPublishedKeys(deps.db)
}

function snapshotOf(keys: readonly StoredSigningKey[], readAt: number, before?: Snapshot): Snapshot {
  const active = keys.find(({ state }) => state === 'ACTIVE')
  // Importing a key costs more than using it.
  const importKey = ({ kid, publicJwk }: StoredSigningKey) =>
    before?.publicKeys.get(kid) ?? createPublicKey({ key: publicJwk as JsonWebKey, format: 'jwk' })
  return { readAt, keys, active, publicKeys: new Map(keys.map((key) => [key.kid, importKey(key)])) }
}

async function openPrivateKey(encryption: KeyEncryption, kid: string, sealed: string): Promise<KeyObject> {
  const privateJwk = JSON.parse(await encryption.open(sealed, kid)) as JsonWebKey
  return createPrivateKey({ key: privateJwk, format: 'jwk' })
}

async function reseal({ db, encryption, log }: SigningKeysDeps, kid: string, before: string): Promise<void> {
  const now = await encryption.seal(await encryption.open(before, kid), kid)
  await resealSigningKey(db, kid, { before, now })
  log.info({ kid }, 'a signing key was sealed with the first KEY_ENCRYPTION_KEY')
}

function isNeeded({ state, retireTime }: StoredSigningKey, nowMs: number): boolean {
  if (state === 'PENDING' || state === 'ACTIVE') return true
  // The clock of who retired it may be ahead of ours.
  return retireTime !== null && nowMs - retireTime.getTime() < NEEDED_AFTER_RETIREMENT_MS
}

/** A clock that was set back makes everything old. */
function isWithin(since: number, nowMs: number, ms: number): boolean {
  return nowMs >= since && nowMs - since < ms
}

/**
 * A set that was read at a moment has every key that signs until `PUBLISHED_AHEAD_MS` later; nobody may keep it longer.
 * One that is older is given to be kept for a moment only: an instance that cannot read the keys is not ready.
 */
function maxAgeMs(readAt: number, nowMs: number): number {
  const completeUntil = readAt + PUBLISHED_AHEAD_MS - CLOCK_DIFFERENCE_MS
  return Math.max(MIN_MAX_AGE_MS, Math.min(JWKS_MAX_AGE_MS, completeUntil - nowMs))
}

/** Whoever asks while a read runs shares the next one with all others: that one begins after they asked. */
function sharingReads(read: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined
  let next: Promise<void> | undefined
  const start = () => {
    next = undefined
    running = read().finally(() => {
      running = undefined
    })
    return running
  }
  return () => {
    if (next !== undefined) return next
    if (running === undefined) return start()
    next = running.catch(() => undefined).then(start)
    return next
  }
}

/** Runs what may fail each time it is tried; a trouble is told when it begins, and not again while it lasts. */
function tellingOnce(log: Log) {
  const lasting = new Set<string>()
  return {
    async in(trouble: string, work: () => Promise<void>): Promise<void> {
      try {
        await work()
        lasting.delete(trouble)
      } catch (error) {
        const { message, cause } = error as Error
        if (!lasting.has(trouble)) log.error({ cause: String(cause ?? message) }, trouble)
        lasting.add(trouble)
      }
    },
  }
}
