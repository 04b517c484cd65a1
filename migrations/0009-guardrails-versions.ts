import { type Kysely, sql } from 'kysely'

/** The guardrails are one more subject of policy versions and drafts: theirs move to where all others are. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    insert into policy_versions (subject, number, change, author, state, resource, policy_digest, create_time)
    select 'guardrails', version, 'UPDATE', author, 'ACTIVE',
      json_build_object('source', source, 'tests', tests), digest, create_time
    from guardrails_versions`.execute(db)
  await sql`
    alter table guardrails
      drop constraint guardrails_version_fkey,
      add column subject text collate "C" not null default 'guardrails'
        constraint guardrails_own_versions check (subject = 'guardrails'),
      add foreign key (subject, version) references policy_versions (subject, number)`.execute(db)
  await sql`drop table guardrails_versions`.execute(db)
  await sql`
    alter table policy_versions add constraint policy_versions_guardrails_compiled
      check (subject <> 'guardrails' or (resource ->> 'source' = '') = (policy_digest is null))`.execute(db)
  // There is none before the guardrails are saved for the first time.
  await sql`alter table drafts alter column base_number drop not null`.execute(db)
}
