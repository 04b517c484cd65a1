import { type Kysely, sql } from 'kysely'

/** Policies come compressed now: PostgreSQL would only try to do so again, and undo it at every reading. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table policies alter column wasm set storage external`.execute(db)
}
