import { type Kysely, sql } from 'kysely'

/** Which providers there are, the version that serves knows; one that is added needs no migration. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table issuers drop constraint issuers_known_provider`.execute(db)
  await sql`
    alter table issuers add constraint issuers_some_provider check (provider_type ~ '^[A-Z][A-Z0-9_]{0,62}$')`.execute(
    db,
  )
}
