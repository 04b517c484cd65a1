import { type Kysely, sql } from 'kysely'

/** What a decision on an access request says beside what every decision says. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    alter table decisions
      add column caller text,
      add column subject_type text,
      add column permission text,
      add column resource_type text,
      add column resource_id text`.execute(db)

  // Not held against the rows that are there already, none of which is of this kind: it would lock them all.
  await sql`
    alter table decisions add constraint decisions_access_is_explained check (
      kind <> 'ACCESS' or outcome <> 'ALLOWED' or num_nonnulls(identity, identity_id, claims, verdict, policy_digest,
        caller, subject_type, permission, resource_type, resource_id) = 10) not valid`.execute(db)

  await sql`
    create index decisions_by_resource on decisions (resource_type, resource_id, id)
      where resource_id is not null`.execute(db)
}
