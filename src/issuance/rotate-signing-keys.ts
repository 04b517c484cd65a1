import type { RecordChange } from '../change/change.ts'
import type { Clock } from '../clock.ts'
import type { Database } from '../db/database.ts'
import type { Authorship } from '../fields/authorship.ts'
import { dueChanges } from './due-changes.ts'
import type { KeyEncryption } from './key-encryption.ts'
import { makeSigningKey } from './make-signing-key.ts'
import { PUBLISHED_AFTER_MS, PUBLISHED_AHEAD_MS, type StoredSigningKey } from './signing-key.ts'
import {
  activateSigningKey,
  dropSigningKey,
  findSigningKey,
  findSigningKeys,
  insertSigningKey,
  lockSigningKeys,
  readPublishedKeys,
  revokePublishedKeys,
  tryLockSigningKeys,
} from './signing-key-store.ts'

export type RotateDeps = {
  readonly db: Database
  readonly encryption: Pick<KeyEncryption, 'seal'>
  readonly clock: Clock
  readonly recordSigningKey: RecordChange<StoredSigningKey>
}

/** Who does what is due, and makes the first key. */
const BY_ITSELF: Authorship = { author: 'claimgate', reason: undefined }

/**
 * Publishes the key that will sign next and returns it; where one is published already, that one: who rotates at the
 * same time rotates once. It signs once every verifier knows it.
 */
export async function rotateSigningKey(deps: RotateDeps, authorship: Authorship): Promise<StoredSigningKey> {
  const made = await makeSigningKey(deps.encryption)
  return deps.db.kysely.transaction().execute(async (trx) => {
    await lockSigningKeys(trx)
    const before = await readPublishedKeys({ kysely: trx })
    const pending = find(before, 'PENDING')
    if (pending !== undefined) return pending
    const times = timesFrom(deps.clock(), PUBLISHED_AHEAD_MS)
    await insertSigningKey(trx, made, 'PENDING', times)
    await recordKeys(deps, trx, { before, made }, authorship, times.createTime)
    return findSigningKey(trx, made.kid)
  })
}

/**
 * For emergencies: a new key signs at once, and every key before it is gone, the pending and the retired ones too, since
 * whoever came by one may have come by all. Returns the new key; where somebody else just took the keys away that were
 * there when this was asked for, theirs.
 */
export async function replaceSigningKeys(
  deps: RotateDeps,
  authorship: Authorship,
): Promise<StoredSigningKey> {
  const meant = find(await readPublishedKeys(deps.db), 'ACTIVE')
  const made = await makeSigningKey(deps.encryption)
  return deps.db.kysely.transaction().execute(async (trx) => {
    await lockSigningKeys(trx)
    const before = await readPublishedKeys({ kysely: trx })
    const active = find(before, 'ACTIVE')
    const isDone = meant !== undefined && (await findSigningKey(trx, meant.kid)).state === 'REVOKED'
    if (isDone && active !== undefined) return active
    const times = timesFrom(deps.clock(), 0)
    await revokePublishedKeys(trx, times.createTime)
    await insertSigningKey(trx, made, 'ACTIVE', times)
    await recordKeys(deps, trx, { before, made }, authorship, times.createTime)
    return findSigningKey(trx, made.kid)
  })
}

/**
 * Does what is due: one instance at a time, and nothing while another one does it. `canSign`: whether the private key is
 * at hand; a key is not made active by who cannot sign with it.
 */
export async function advanceSigningKeys(
  deps: RotateDeps & { readonly rotationDays: number },
  canSign: (kid: string) => boolean,
): Promise<void> {
  const made = await makeSigningKey(deps.encryption)
  await deps.db.kysely.transaction().execute(async (trx) => {
    if (!(await tryLockSigningKeys(trx))) return
    const nowMs = deps.clock()
    const now = new Date(nowMs)
    const before = await readPublishedKeys({ kysely: trx })
    const due = dueChanges(before, nowMs, deps.rotationDays)
    if (due.activate !== undefined && canSign(due.activate)) {
      await activateSigningKey(trx, due.activate, { now, dropTime: new Date(nowMs + PUBLISHED_AFTER_MS) })
    }
    for (const kid of due.drop) await dropSigningKey(trx, kid, now)
    if (due.publish) await insertSigningKey(trx, made, 'PENDING', timesFrom(nowMs, PUBLISHED_AHEAD_MS))
    await recordKeys(deps, trx, { before, made }, BY_ITSELF, now)
  })
}

/** Makes the key that signs, unless there is one: instances that start at once agree on it. */
export async function makeFirstSigningKey(deps: RotateDeps): Promise<void> {
  const made = await makeSigningKey(deps.encryption)
  await deps.db.kysely.transaction().execute(async (trx) => {
    const times = timesFrom(deps.clock(), 0)
    await insertSigningKey(trx, made, 'ACTIVE', times)
    await recordKeys(deps, trx, { before: [], made }, BY_ITSELF, times.createTime)
  })
}

/** Records of the keys that there were, and of one that was made, those whose state is another now. */
async function recordKeys(
  { recordSigningKey }: RotateDeps,
  trx: Database['kysely'],
  { before, made }: { readonly before: readonly StoredSigningKey[]; readonly made: { readonly kid: string } },
  authorship: Authorship,
  now: Date,
): Promise<void> {
  for (const after of await findSigningKeys(trx, [...before.map(({ kid }) => kid), made.kid])) {
    const former = before.find(({ kid }) => kid === after.kid)
    if (former?.state === after.state) continue
    await recordSigningKey(trx, { verb: 'ROTATE', before: former, after }, authorship, now)
  }
}

function timesFrom(nowMs: number, aheadMs: number) {
  return { createTime: new Date(nowMs), activateTime: new Date(nowMs + aheadMs) }
}

function find(
  keys: readonly StoredSigningKey[],
  state: StoredSigningKey['state'],
): StoredSigningKey | undefined {
  return keys.find((key) => key.state === state)
}
