import { createPrivateKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose'
import type { Clock } from '../clock.ts'
import type { Database } from '../db/database.ts'
import { unavailable } from '../errors.ts'
import type { KeyEncryption } from './key-encryption.ts'

/** RFC 7518 §3.4. */
export const SIGNING_ALGORITHM = 'ES256'

/** `createTime` in milliseconds since the epoch. */
export type SigningKey = {
  readonly kid: string
  readonly privateKey: KeyObject
  readonly createTime: number
}

export type SigningKeys = {
  readonly active: SigningKey
  /** The public keys of every token that may still be valid, for `/.well-known/jwks.json` (RFC 7517). */
  readonly jwks: { readonly keys: readonly JWK[] }
}

/**
 * Loads the signing keys; the very first start makes one. Instances that start at once agree on one key.
 * Throws where a stored key cannot be opened with the configured encryption keys.
 */
export async function loadSigningKeys(deps: {
  db: Database
  encryption: KeyEncryption
  clock: Clock
}): Promise<SigningKeys> {
  const rows = (await readKeys(deps.db)) ?? (await makeFirstKey(deps))
  const activeRow = rows.find((row) => row.state === 'ACTIVE')
  if (activeRow === undefined) throw new Error('There is no active signing key.')
  const privateJwk = JSON.parse(
    await deps.encryption.open(activeRow.encrypted_private_key, activeRow.kid),
  ) as JsonWebKey
  return {
    active: {
      kid: activeRow.kid,
      privateKey: createPrivateKey({ key: privateJwk, format: 'jwk' }),
      createTime: activeRow.create_time.getTime(),
    },
    jwks: { keys: rows.map((row) => row.public_jwk as JWK) },
  }
}

/** The key that signs, as it is stored; undefined before the very first start. */
export async function findStoredKey(
  db: Pick<Database, 'kysely'>,
): Promise<{ kid: string; sealed: string; createTime: Date } | undefined> {
  const active = (await readKeys(db))?.find(({ state }) => state === 'ACTIVE')
  return active && { kid: active.kid, sealed: active.encrypted_private_key, createTime: active.create_time }
}

/** Throws unless this key is still the one that signs for all instances. */
export async function checkSigningKey(db: Database, key: SigningKey): Promise<void> {
  const active = (await readKeys(db))?.find(({ state }) => state === 'ACTIVE')
  if (active?.kid !== key.kid) throw unavailable('The signing key is no longer the active one.')
}

async function readKeys(db: Pick<Database, 'kysely'>) {
  const rows = await db.kysely.selectFrom('signing_keys').selectAll().orderBy('create_time', 'desc').execute()
  return rows.length === 0 ? undefined : rows
}

async function makeFirstKey(deps: { db: Database; encryption: KeyEncryption; clock: Clock }) {
  const { publicKey, privateKey } = await generateKeyPair(SIGNING_ALGORITHM, { extractable: true })
  const publicJwk = await exportJWK(publicKey)
  const kid = await calculateJwkThumbprint(publicJwk)
  const encryptedPrivateKey = await deps.encryption.seal(JSON.stringify(await exportJWK(privateKey)), kid)
  await deps.db.kysely
    .insertInto('signing_keys')
    .values({
      kid,
      algorithm: SIGNING_ALGORITHM,
      public_jwk: JSON.stringify({ ...publicJwk, kid, use: 'sig', alg: SIGNING_ALGORITHM }),
      encrypted_private_key: encryptedPrivateKey,
      state: 'ACTIVE',
      create_time: new Date(deps.clock()),
    })
    // The index signing_keys_one_active lets in the first of those that were made at once.
    .onConflict((conflict) => conflict.doNothing())
    .execute()
  return (await readKeys(deps.db)) ?? []
}
