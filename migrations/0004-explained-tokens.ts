import { type Kysely, sql } from 'kysely'

/** Which tokens were explained for which identities, so that explaining one again adds no decision. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table explained_tokens (
      identity text not null,
      token_hash bytea not null,
      decision_id uuid not null,
      keep_until timestamptz not null,
      primary key (identity, token_hash)
    )`.execute(db)
  await sql`create index explained_tokens_by_keep_until on explained_tokens (keep_until)`.execute(db)
}
