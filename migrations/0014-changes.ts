import { type Kysely, sql } from 'kysely'

/** Who changed what, and who was refused to: for ever. And administrators beside the first. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table changes (
      id uuid primary key,
      outcome text not null constraint changes_known_outcome check (outcome in ('DONE', 'REFUSED')),
      author text collate "C" not null,
      verb text not null constraint changes_well_formed_verb check (verb ~ '^[A-Z]+(_[A-Z]+)*$'),
      resource text collate "C" not null,
      before json,
      after json,
      reason text constraint changes_reason_length check (length(reason) between 1 and 500),
      code integer,
      message text,
      request_id text,
      caller_ip text,
      count integer not null default 1 constraint changes_positive_count check (count > 0),
      create_time timestamptz not null,
      constraint changes_refused_says_why
        check (num_nonnulls(code, message) = case outcome when 'REFUSED' then 2 else 0 end),
      constraint changes_refused_changes_nothing check (outcome <> 'REFUSED' or num_nonnulls(before, after) = 0)
    )`.execute(db)
  // Pages are read in the order of ids, so that each index ends with it.
  await sql`create index changes_by_resource on changes (resource, id)`.execute(db)
  await sql`create index changes_by_author on changes (author, id)`.execute(db)
  await sql`create index changes_by_outcome on changes (outcome, id)`.execute(db)
  await sql`
    create trigger append_only before update or delete on changes
      for each row execute function refuse_change()`.execute(db)
  await sql`
    create trigger never_truncated before truncate on changes
      for each statement execute function refuse_change()`.execute(db)

  // A row stays when its token is deleted, without what the token was known by: its id names an author for ever.
  await sql`
    create table admin_tokens (
      id text collate "C" primary key
        constraint admin_tokens_well_formed_id check (id ~ '^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$' and id <> 'first'),
      title text not null,
      roles text[] not null,
      secret_hash bytea,
      revision bigint not null default nextval('revisions'),
      create_time timestamptz not null,
      update_time timestamptz not null,
      expire_time timestamptz,
      last_use_time timestamptz,
      delete_time timestamptz,
      constraint admin_tokens_deleted_is_dead check ((secret_hash is null) = (delete_time is not null))
    )`.execute(db)
}
