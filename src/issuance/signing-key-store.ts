import type { JWK } from 'jose'
import { type Kysely, type Selectable, sql } from 'kysely'
import type { Database } from '../db/database.ts'
import type { Schema, SigningKeyTable } from '../db/schema.ts'
import { SIGNING_ALGORITHM, type SigningKeyState, type StoredSigningKey } from './signing-key.ts'

/** A key pair that was just made, its private part sealed. */
export type NewSigningKey = Pick<StoredSigningKey, 'kid' | 'publicJwk'> & { readonly sealed: string }

/** `after` is what `placeOf` gives. */
export type SigningKeyQuery = { readonly after: string | undefined; readonly limit: number }

const PUBLISHED: readonly SigningKeyState[] = ['PENDING', 'ACTIVE', 'RETIRED']

/** The keys that are published, the newest first. */
export async function readPublishedKeys(db: Pick<Database, 'kysely'>): Promise<readonly StoredSigningKey[]> {
  const rows = await db.kysely
    .selectFrom('signing_keys')
    .selectAll()
    .where('state', 'in', PUBLISHED)
    .orderBy('create_time', 'desc')
    .orderBy('kid', 'desc')
    .execute()
  return rows.map(fromRow)
}

/** All keys that there ever were, the newest first. */
export async function listSigningKeys(
  db: Database,
  { after, limit }: SigningKeyQuery,
): Promise<readonly StoredSigningKey[]> {
  let select = db.kysely
    .selectFrom('signing_keys')
    .selectAll()
    .orderBy('create_time', 'desc')
    .orderBy('kid', 'desc')
    .limit(limit)
  if (after !== undefined) {
    const [time = '', kid = ''] = after.split('/')
    select = select.where(
      sql<boolean>`(date_trunc('milliseconds', create_time), kid) < (${time}::timestamptz, ${kid})`,
    )
  }
  return (await select.execute()).map(fromRow)
}

/** Where a key stands in the list of all. */
export function placeOf({ createTime, kid }: StoredSigningKey): string {
  return `${createTime.toISOString()}/${kid}`
}

export async function findSigningKey(trx: Kysely<Schema>, kid: string): Promise<StoredSigningKey> {
  const row = await trx
    .selectFrom('signing_keys')
    .selectAll()
    .where('kid', '=', kid)
    .executeTakeFirstOrThrow()
  return fromRow(row)
}

/** Those of these keys that there are, the oldest first. */
export async function findSigningKeys(
  trx: Kysely<Schema>,
  kids: readonly string[],
): Promise<readonly StoredSigningKey[]> {
  const rows = await trx
    .selectFrom('signing_keys')
    .selectAll()
    .where('kid', 'in', kids)
    .orderBy('create_time')
    .orderBy('kid')
    .execute()
  return rows.map(fromRow)
}

/** Keeps everybody else from changing the keys until the transaction ends. */
export async function lockSigningKeys(trx: Kysely<Schema>): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtext('claimgate.signing_keys'))`.execute(trx)
}

/** The same; false where somebody else is at it. */
export async function tryLockSigningKeys(trx: Kysely<Schema>): Promise<boolean> {
  const { rows } = await sql<{ locked: boolean }>`
    select pg_try_advisory_xact_lock(hashtext('claimgate.signing_keys')) as locked`.execute(trx)
  return rows[0]?.locked === true
}

/** Adds a key that signs from `activateTime` on; nothing where there is one in this state already. */
export async function insertSigningKey(
  trx: Kysely<Schema>,
  { kid, publicJwk, sealed }: NewSigningKey,
  state: 'PENDING' | 'ACTIVE',
  times: { readonly createTime: Date; readonly activateTime: Date },
): Promise<void> {
  await trx
    .insertInto('signing_keys')
    .values({
      kid,
      algorithm: SIGNING_ALGORITHM,
      public_jwk: JSON.stringify(publicJwk),
      encrypted_private_key: sealed,
      state,
      create_time: times.createTime,
      activate_time: times.activateTime,
    })
    // The indexes signing_keys_one_active and signing_keys_one_pending let in the first of those made at once.
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

/** Has a pending key sign in the place of the one that does, whose private key is wiped. */
export async function activateSigningKey(
  trx: Kysely<Schema>,
  kid: string,
  times: { readonly now: Date; readonly dropTime: Date },
): Promise<void> {
  await trx
    .updateTable('signing_keys')
    .set({
      state: 'RETIRED',
      encrypted_private_key: null,
      retire_time: times.now,
      drop_time: times.dropTime,
    })
    .where('state', '=', 'ACTIVE')
    .execute()
  await trx
    .updateTable('signing_keys')
    .set({ state: 'ACTIVE', activate_time: times.now })
    .where('kid', '=', kid)
    .where('state', '=', 'PENDING')
    .execute()
}

export async function dropSigningKey(trx: Kysely<Schema>, kid: string, now: Date): Promise<void> {
  await trx
    .updateTable('signing_keys')
    .set({ state: 'DROPPED', drop_time: now })
    .where('kid', '=', kid)
    .where('state', '=', 'RETIRED')
    .execute()
}

/** Takes every published key away, whatever it is there for, and wipes what is private of them. */
export async function revokePublishedKeys(trx: Kysely<Schema>, now: Date): Promise<void> {
  await trx
    .updateTable('signing_keys')
    .set({
      activate_time: sql<Date | null>`case when state <> 'PENDING' then activate_time end`,
      retire_time: sql<Date | null>`case when state = 'ACTIVE' then ${now} else retire_time end`,
      state: 'REVOKED',
      encrypted_private_key: null,
      drop_time: now,
    })
    .where('state', 'in', PUBLISHED)
    .execute()
}

/** Replaces what a private key is sealed in, unless somebody did that meanwhile. */
export async function resealSigningKey(
  db: Database,
  kid: string,
  sealed: { readonly before: string; readonly now: string },
): Promise<void> {
  await db.kysely
    .updateTable('signing_keys')
    .set({ encrypted_private_key: sealed.now })
    .where('kid', '=', kid)
    .where('encrypted_private_key', '=', sealed.before)
    .execute()
}

function fromRow(row: Selectable<SigningKeyTable>): StoredSigningKey {
  return {
    kid: row.kid,
    state: row.state as SigningKeyState,
    publicJwk: row.public_jwk as JWK,
    sealed: row.encrypted_private_key,
    createTime: row.create_time,
    activateTime: row.activate_time,
    retireTime: row.retire_time,
    dropTime: row.drop_time,
  }
}
