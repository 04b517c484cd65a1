import { type Kysely, sql } from 'kysely'

/** Roles of the organisation's own, and who has which role in a project. */
export async function up(db: Kysely<unknown>): Promise<void> {
  // In code point order, as everything that is listed by id.
  await sql`
    create table roles (
      id text collate "C" primary key constraint roles_well_formed_id check (id ~ '^[a-z][a-zA-Z0-9-]{0,62}$'),
      title text not null,
      description text not null,
      permissions text[] not null,
      revision bigint not null default nextval('revisions'),
      create_time timestamptz not null,
      update_time timestamptz not null
    )`.execute(db)

  // What an access decision stands on beside the rows that it names: any change of any role is another number.
  await sql`
    create table role_changes (
      one boolean primary key default true constraint role_changes_single_row check (one),
      revision bigint not null default nextval('revisions')
    )`.execute(db)
  await sql`insert into role_changes default values`.execute(db)
  await sql`
    create function count_role_change() returns trigger language plpgsql as $$
    begin
      update role_changes set revision = nextval('revisions');
      return null;
    end $$`.execute(db)
  await sql`
    create trigger counted after insert or update or delete on roles
      for each statement execute function count_role_change()`.execute(db)

  // A member is an identity by its internal id, so that whoever gets a deleted one's email anew inherits nothing.
  await sql`
    create table project_bindings (
      project_id text collate "C" not null references projects (id),
      role text collate "C" not null,
      identity_id uuid not null references workload_identities (id),
      rule text not null default '',
      primary key (project_id, role, identity_id, rule)
    )`.execute(db)
  await sql`create index project_bindings_by_member on project_bindings (identity_id, project_id)`.execute(db)
  await sql`create index project_bindings_by_role on project_bindings (role)`.execute(db)
  await sql`alter table projects add column iam_revision bigint not null default nextval('revisions')`.execute(
    db,
  )
}
