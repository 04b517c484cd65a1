import { type Kysely, sql } from 'kysely'

/** The organisation's guardrails: every version for ever, and one row that says which of them counts. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table guardrails_versions (
      version integer primary key constraint guardrails_versions_from_one check (version > 0),
      source text not null,
      tests json not null,
      digest text references policies (digest),
      author text not null,
      create_time timestamptz not null,
      constraint guardrails_versions_compiled check ((source = '') = (digest is null))
    )`.execute(db)
  await sql`
    create trigger append_only before update or delete on guardrails_versions
      for each row execute function refuse_change()`.execute(db)
  await sql`
    create trigger never_truncated before truncate on guardrails_versions
      for each statement execute function refuse_change()`.execute(db)

  // There from the beginning, since every decision is recorded on its revision, also where there are no guardrails.
  await sql`
    create table guardrails (
      one boolean primary key default true constraint guardrails_single_row check (one),
      version integer references guardrails_versions (version),
      revision bigint not null default nextval('revisions'),
      update_time timestamptz not null
    )`.execute(db)
  await sql`insert into guardrails (update_time) values (now())`.execute(db)
}
