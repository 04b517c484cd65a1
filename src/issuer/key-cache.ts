import { LRUCache } from 'lru-cache'
import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import { FetchError } from './fetch-error.ts'
import { fetchKeys } from './fetch-keys.ts'
import type { FetchJson } from './guarded-fetch.ts'
import type { Issuer, KeyStatus, SignatureAlgorithm } from './issuer.ts'
import { hasUsableKey, type Jwks, readJwks } from './jwks.ts'
import type { KeyLookup } from './key-lookup.ts'

export type KeyCacheDeps = {
  readonly fetchJson: FetchJson
  readonly clock: Clock
  readonly log: Log
  /** Runs each fetch and lets its result or failure through. */
  readonly watchFetch?: WatchFetch
}

type WatchFetch = <Result>(issuerId: string, fetch: () => Promise<Result>) => Promise<Result>

export type KeyCache = {
  /** The key that an issuer publishes under a kid, if the algorithm may use it; fetches where it must. */
  findKey(issuer: Issuer, keyId: string, algorithm: SignatureAlgorithm): Promise<KeyLookup>
  /** Fetches at once, whatever was fetched or failed before; joins a fetch that is under way. `status` tells how it went. */
  refresh(issuer: Issuer): Promise<void>
  status(issuer: Issuer): KeyStatus
}

/** What is known of an issuer; times in milliseconds since the epoch. */
type Entry = {
  /** Undefined where the keys are fetched; static ones are those of one revision. */
  readonly staticRevision: string | undefined
  keys: Jwks | undefined
  fetchTime: number
  freshUntil: number
  lastError: string | undefined
  failures: number
  /** No fetch begins before it: the back-off after failures. */
  nextFetchTime: number
  /** No fetch for the sake of an unknown kid begins before it. */
  nextUnknownKeyTime: number
  fetching: Promise<void> | undefined
}

const MAX_ISSUERS = 1_000
const FRESH_MS = 10 * 60_000
const MIN_FRESH_MS = 60_000
const STALE_MS = 60 * 60_000 // counted from the fetch: how long keys serve while their issuer is down
const UNKNOWN_KEY_INTERVAL_MS = 15_000
const MIN_BACK_OFF_MS = 1_000
const PATIENCE_MS = 1_000 // an issuer that is well answers within a fifth of it
const MAX_BACK_OFF_MS = 30_000
const MAX_LOGGED_CAUSE = 500 // parts of it are others' text

/**
 * Makes the cache of issuers' public keys, by issuer: never by kid, which anybody may choose. Keys are
 * fetched when they are first asked for and when they are no longer fresh, one fetch at a time for each issuer.
 */
export function createKeyCache(deps: KeyCacheDeps): KeyCache {
  const entries = new LRUCache<string, Entry>({ max: MAX_ISSUERS })
  return {
    async findKey(issuer, keyId, algorithm) {
      const entry = entryOf(entries, issuer, deps.clock)
      const known = entry.keys
      if (issuer.jwks === null && deps.clock() >= entry.freshUntil) {
        const refreshed = refresh(deps, issuer, entry)
        await (isServed(issuer, entry, deps.clock) ? unlessSlow(refreshed) : refreshed)
      }
      const wasFetched = entry.keys !== known
      if (!isServed(issuer, entry, deps.clock)) return UNAVAILABLE
      if (issuer.jwks === null && !entry.keys?.has(keyId) && !wasFetched) {
        await refreshForUnknownKey(deps, issuer, entry)
      }
      return lookUp(entry, keyId, algorithm)
    },
    async refresh(issuer) {
      const entry = entryOf(entries, issuer, deps.clock)
      entry.nextFetchTime = 0
      await refresh(deps, issuer, entry)
    },
    status(issuer) {
      const entry = current(entries.peek(entryKey(issuer)), issuer) ?? newEntry(issuer, deps.clock)
      return {
        fetchTime:
          issuer.jwks === null && entry.keys !== undefined ? new Date(entry.fetchTime).toISOString() : null,
        keyIds: [...(entry.keys ?? [])].filter(([, key]) => key.usable).map(([keyId]) => keyId),
        lastError: entry.lastError ?? null,
      }
    },
  }
}

function entryOf(entries: LRUCache<string, Entry>, issuer: Issuer, clock: Clock): Entry {
  const known = current(entries.get(entryKey(issuer)), issuer)
  if (known !== undefined) return known
  const entry = newEntry(issuer, clock)
  entries.set(entryKey(issuer), entry)
  return entry
}

function entryKey(issuer: Issuer): string {
  return JSON.stringify([issuer.id, issuer.issuerUrl])
}

/** An entry that still says what the issuer's keys are: fetched keys outlive a change of its title, and no static ones. */
function current(entry: Entry | undefined, issuer: Issuer): Entry | undefined {
  return entry?.staticRevision === staticRevisionOf(issuer) ? entry : undefined
}

function staticRevisionOf(issuer: Issuer): string | undefined {
  return issuer.jwks === null ? undefined : issuer.revision
}

function newEntry(issuer: Issuer, clock: Clock): Entry {
  const jwks = issuer.jwks === null ? undefined : readJwks(issuer.jwks)
  return {
    staticRevision: staticRevisionOf(issuer),
    keys: jwks?.ok ? jwks.keys : undefined,
    fetchTime: clock(),
    freshUntil: 0,
    lastError: jwks?.ok === false ? `The static key set ${jwks.problem}.` : undefined,
    failures: 0,
    nextFetchTime: 0,
    nextUnknownKeyTime: 0,
    fetching: undefined,
  }
}

/** Whether the keys may still be used: static ones always, fetched ones for an hour after their fetch. */
function isServed(issuer: Issuer, entry: Entry, clock: Clock): boolean {
  if (entry.keys === undefined) return false
  return issuer.jwks !== null || clock() <= entry.fetchTime + STALE_MS
}

async function refreshForUnknownKey(deps: KeyCacheDeps, issuer: Issuer, entry: Entry): Promise<void> {
  if (entry.fetching !== undefined) return entry.fetching
  if (deps.clock() < entry.nextUnknownKeyTime) return
  entry.nextUnknownKeyTime = deps.clock() + UNKNOWN_KEY_INTERVAL_MS
  return refresh(deps, issuer, entry)
}

/** With keys that may still serve, a slow issuer is not waited for: its answer is for those who come later. */
async function unlessSlow(refreshed: Promise<void>): Promise<void> {
  const slow = Promise.withResolvers<void>()
  const timer = setTimeout(slow.resolve, PATIENCE_MS)
  await Promise.race([refreshed, slow.promise])
  clearTimeout(timer)
}

/** Joins the fetch that is under way or begins one, unless the issuer failed a moment ago. Never throws. */
async function refresh(deps: KeyCacheDeps, issuer: Issuer, entry: Entry): Promise<void> {
  if (entry.fetching === undefined) {
    if (deps.clock() < entry.nextFetchTime) return
    entry.fetching = fetchInto(deps, issuer, entry).finally(() => {
      entry.fetching = undefined
    })
  }
  await entry.fetching
}

async function fetchInto(deps: KeyCacheDeps, issuer: Issuer, entry: Entry): Promise<void> {
  try {
    const watchFetch: WatchFetch = deps.watchFetch ?? ((_, fetch) => fetch())
    const { keys, maxAgeSeconds, isUsable } = await watchFetch(issuer.id, () =>
      fetchUsableKeys(deps, issuer, entry),
    )
    const now = deps.clock()
    entry.keys = keys
    entry.fetchTime = now
    entry.freshUntil = now + freshFor(maxAgeSeconds)
    entry.lastError = isUsable ? undefined : 'No key of the set may be used.'
    entry.failures = 0
    entry.nextFetchTime = 0
  } catch (error) {
    const backOffMs = Math.min(MIN_BACK_OFF_MS * 2 ** entry.failures, MAX_BACK_OFF_MS)
    entry.failures++
    entry.nextFetchTime = deps.clock() + backOffMs
    entry.lastError = error instanceof FetchError ? error.publicMessage : 'The keys could not be read.'
    const cause = String(error instanceof FetchError ? error.cause : error).slice(0, MAX_LOGGED_CAUSE)
    deps.log.warn(
      { issuer: issuer.id, reason: entry.lastError, cause, backOffMs },
      'issuer keys could not be fetched',
    )
  }
}

/** Keys of which none may be used are taken only where there are no better ones. */
async function fetchUsableKeys(deps: KeyCacheDeps, issuer: Issuer, entry: Entry) {
  const { keys, maxAgeSeconds } = await fetchKeys(deps.fetchJson, issuer.issuerUrl)
  const isUsable = hasUsableKey(keys)
  if (!isUsable && entry.keys !== undefined && hasUsableKey(entry.keys))
    throw new FetchError('keys', 'none usable')
  return { keys, maxAgeSeconds, isUsable }
}

function freshFor(maxAgeSeconds: number | undefined): number {
  const maxAgeMs = (maxAgeSeconds ?? 0) * 1000
  return maxAgeMs >= MIN_FRESH_MS ? Math.min(maxAgeMs, FRESH_MS) : FRESH_MS
}

const UNAVAILABLE: KeyLookup = {
  found: false,
  reason: 'issuer_unavailable',
  message: "The keys of the token's issuer cannot be fetched at the moment. Try again later.",
}

function lookUp(entry: Entry, keyId: string, algorithm: SignatureAlgorithm): KeyLookup {
  const published = entry.keys?.get(keyId)
  // While its issuer cannot be asked, nobody knows whether a new key is a good one.
  if (published === undefined && entry.failures > 0) return UNAVAILABLE
  if (published === undefined) return refused('is not one that its issuer publishes')
  if (!published.usable) return refused(published.problem)
  const key = published.byAlgorithm.get(algorithm)
  return key === undefined ? refused(`does not suit ${algorithm}`) : { found: true, key }
}

function refused(problem: string): KeyLookup {
  return { found: false, reason: 'token_key', message: `The key that the token is signed with ${problem}.` }
}
