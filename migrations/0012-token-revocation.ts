import { type Kysely, sql } from 'kysely'

/** Access tokens that are ended before they expire: one by one, or all that an identity has. */
export async function up(db: Kysely<unknown>): Promise<void> {
  // By the decision that a token was issued on, which is its jti.
  await sql`
    create table revoked_tokens (
      decision_id uuid primary key,
      keep_until timestamptz not null
    )`.execute(db)
  await sql`create index revoked_tokens_by_keep_until on revoked_tokens (keep_until)`.execute(db)

  // Which tokens came before a revocation is told by revisions, not by the clocks of those who issued them.
  await sql`alter table decisions add column identity_revision bigint`.execute(db)
  await sql`
    alter table workload_identities add column tokens_revoked_revision bigint not null default 0`.execute(db)
}
