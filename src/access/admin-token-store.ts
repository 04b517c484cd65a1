import { type Kysely, type Selectable, sql } from 'kysely'
import type { Database } from '../db/database.ts'
import type { AdminTokenTable, Schema } from '../db/schema.ts'
import { type AdminToken, isLastingAdministrator } from './admin-token.ts'

export type NewAdminToken = Pick<AdminToken, 'id' | 'title' | 'roles' | 'expireTime'> & {
  readonly secretHash: Buffer
}

/** What of a token can be changed. */
export type WrittenAdminToken = Pick<AdminToken, 'title' | 'roles' | 'expireTime'>

export type AdminTokenStore = {
  /** By id; those that expired too, deleted ones never. */
  list(query: { readonly after: string | undefined; readonly limit: number }): Promise<readonly AdminToken[]>
  get(id: string): Promise<AdminToken | undefined>
  findWithSecret(id: string): Promise<(AdminToken & { readonly secretHash: Buffer }) | undefined>
  /** Notes that a token was used, unless it is known of the minute before. */
  noteUse(id: string, now: Date): Promise<void>
  hasLastingAdministrator(): Promise<boolean>
}

const MINUTE_MS = 60_000

export function createAdminTokenStore(db: Database): AdminTokenStore {
  return {
    async list({ after, limit }) {
      let page = selectLiving(db.kysely).orderBy('id').limit(limit)
      if (after !== undefined) page = page.where('id', '>', after)
      return (await page.execute()).map(fromRow)
    },
    async get(id) {
      const row = await selectLiving(db.kysely).where('id', '=', id).executeTakeFirst()
      return row && fromRow(row)
    },
    async findWithSecret(id) {
      const row = await selectLiving(db.kysely).where('id', '=', id).executeTakeFirst()
      return row?.secret_hash ? { ...fromRow(row), secretHash: Buffer.from(row.secret_hash) } : undefined
    },
    async noteUse(id, now) {
      await db.kysely
        .updateTable('admin_tokens')
        .set({ last_use_time: now })
        .where('id', '=', id)
        .where((where) =>
          where.or([
            where('last_use_time', 'is', null),
            where('last_use_time', '<=', new Date(now.getTime() - MINUTE_MS)),
          ]),
        )
        .execute()
    },
    hasLastingAdministrator: async () => (await findLastingAdministrators(db.kysely)).length > 0,
  }
}

/** Adds a token; undefined where its id is, or was, another's. */
export async function insertAdminToken(
  trx: Kysely<Schema>,
  { id, title, roles, expireTime, secretHash }: NewAdminToken,
  now: Date,
): Promise<AdminToken | undefined> {
  const row = await trx
    .insertInto('admin_tokens')
    .values({
      id,
      title,
      roles: [...roles],
      secret_hash: secretHash,
      create_time: now,
      update_time: now,
      expire_time: expireTime,
    })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .returningAll()
    .executeTakeFirst()
  return row && fromRow(row)
}

/**
 * Keeps a token from changing until the transaction ends, and every other token that is to be changed so: of two that
 * are the last administrators, whoever is second sees what became of the first.
 */
export async function lockAdminToken(trx: Kysely<Schema>, id: string): Promise<AdminToken | undefined> {
  await sql`select pg_advisory_xact_lock(hashtext('claimgate.admin_tokens'))`.execute(trx)
  const row = await selectLiving(trx).where('id', '=', id).forNoKeyUpdate().executeTakeFirst()
  return row && fromRow(row)
}

/** The ids of the tokens that would each alone do to administer for good. */
export async function findLastingAdministrators(kysely: Kysely<Schema>): Promise<readonly string[]> {
  const rows = await selectLiving(kysely).where('expire_time', 'is', null).execute()
  return rows
    .map(fromRow)
    .filter(isLastingAdministrator)
    .map(({ id }) => id)
}

/** Writes what a token, which is locked, is from now on. */
export function writeAdminToken(
  trx: Kysely<Schema>,
  id: string,
  { title, roles, expireTime }: WrittenAdminToken,
  now: Date,
): Promise<AdminToken> {
  return update(trx, id, { title, roles: [...roles], expire_time: expireTime }, now)
}

/** Deletes a token, which is locked: nothing is known by its secret any more, and its id stays taken. */
export async function deleteAdminTokenRow(trx: Kysely<Schema>, id: string, now: Date): Promise<void> {
  await update(trx, id, { secret_hash: null, delete_time: now }, now)
}

async function update(
  trx: Kysely<Schema>,
  id: string,
  columns: Partial<Pick<AdminTokenTable, 'title' | 'roles' | 'expire_time' | 'secret_hash' | 'delete_time'>>,
  now: Date,
): Promise<AdminToken> {
  const row = await trx
    .updateTable('admin_tokens')
    .set({ ...columns, revision: sql`nextval('revisions')`, update_time: now })
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow()
  return fromRow(row)
}

function selectLiving(kysely: Kysely<Schema>) {
  return kysely.selectFrom('admin_tokens').selectAll().where('delete_time', 'is', null)
}

function fromRow(row: Selectable<AdminTokenTable>): AdminToken {
  return {
    id: row.id,
    title: row.title,
    roles: row.roles,
    revision: row.revision,
    createTime: row.create_time,
    updateTime: row.update_time,
    expireTime: row.expire_time,
    lastUseTime: row.last_use_time,
  }
}
