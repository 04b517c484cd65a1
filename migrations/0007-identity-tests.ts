import { type Kysely, sql } from 'kysely'

/** An identity's own tests, and what its author acknowledged of what it lets in. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    alter table workload_identities
      add column tests json not null default '[]',
      add column acknowledgements json not null default '[]'`.execute(db)
}
