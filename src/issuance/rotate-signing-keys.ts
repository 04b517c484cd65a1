import type { Clock } from '../clock.ts'
import type { Database } from '../db/database.ts'
import { dueChanges } from './due-changes.ts'
import type { KeyEncryption } from './key-encryption.ts'
import { makeSigningKey } from './make-signing-key.ts'
import { PUBLISHED_AFTER_MS, PUBLISHED_AHEAD_MS, type StoredSigningKey } from './signing-key.ts'
import {
  activateSigningKey,
  dropSigningKey,
  findSigningKey,
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
}

/**
 * Publishes the key that will sign next and returns it; where one is published already, that one: who rotates at the
 * same time rotates once. It signs once every verifier knows it.
 */
export async function rotateSigningKey({ db, encryption, clock }: RotateDeps): Promise<StoredSigningKey> {
  const made = await makeSigningKey(encryption)
  return db.kysely.transaction().execute(async (trx) => {
    await lockSigningKeys(trx)
    const pending = find(await readPublishedKeys({ kysely: trx }), 'PENDING')
    if (pending !== undefined) return pending
    await insertSigningKey(trx, made, 'PENDING', timesFrom(clock(), PUBLISHED_AHEAD_MS))
    return findSigningKey(trx, made.kid)
  })
}

/**
 * For emergencies: a new key signs at once, and every key before it is gone, the pending and the retired ones too, since
 * whoever came by one may have come by all. Returns the new key; where somebody else just took the keys away that were
 * there when this was asked for, theirs.
 */
export async function replaceSigningKeys({ db, encryption, clock }: RotateDeps): Promise<StoredSigningKey> {
  const meant = find(await readPublishedKeys(db), 'ACTIVE')
  const made = await makeSigningKey(encryption)
  return db.kysely.transaction().execute(async (trx) => {
    await lockSigningKeys(trx)
    const active = find(await readPublishedKeys({ kysely: trx }), 'ACTIVE')
    const isDone = meant !== undefined && (await findSigningKey(trx, meant.kid)).state === 'REVOKED'
    if (isDone && active !== undefined) return active
    const times = timesFrom(clock(), 0)
    await revokePublishedKeys(trx, times.createTime)
    await insertSigningKey(trx, made, 'ACTIVE', times)
    return findSigningKey(trx, made.kid)
  })
}

/**
 * Does what is due: one instance at a time, and nothing while another one does it. `canSign`: whether the private key is
 * at hand; a key is not made active by who cannot sign with it.
 */
export async function advanceSigningKeys(
  { db, encryption, clock, rotationDays }: RotateDeps & { readonly rotationDays: number },
  canSign: (kid: string) => boolean,
): Promise<void> {
  const made = await makeSigningKey(encryption)
  await db.kysely.transaction().execute(async (trx) => {
    if (!(await tryLockSigningKeys(trx))) return
    const nowMs = clock()
    const now = new Date(nowMs)
    const due = dueChanges(await readPublishedKeys({ kysely: trx }), nowMs, rotationDays)
    if (due.activate !== undefined && canSign(due.activate)) {
      await activateSigningKey(trx, due.activate, { now, dropTime: new Date(nowMs + PUBLISHED_AFTER_MS) })
    }
    for (const kid of due.drop) await dropSigningKey(trx, kid, now)
    if (due.publish) await insertSigningKey(trx, made, 'PENDING', timesFrom(nowMs, PUBLISHED_AHEAD_MS))
  })
}

/** Makes the key that signs, unless there is one: instances that start at once agree on it. */
export async function makeFirstSigningKey({ db, encryption, clock }: RotateDeps): Promise<void> {
  await insertSigningKey(db.kysely, await makeSigningKey(encryption), 'ACTIVE', timesFrom(clock(), 0))
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
