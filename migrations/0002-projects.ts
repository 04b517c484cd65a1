import { type Kysely, sql } from 'kysely'

/** Projects, identities under them, and what changing identities in place has to remember. */
export async function up(db: Kysely<unknown>): Promise<void> {
  // In code point order, whatever the database's own collation: so pages go on where the last one ended.
  await sql`
    create table projects (
      id text collate "C" primary key
        constraint projects_well_formed_id check (id ~ '^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$'),
      title text not null,
      state text not null constraint projects_known_state check (state in ('ACTIVE', 'DELETED')),
      revision bigint not null default nextval('revisions'),
      create_time timestamptz not null,
      update_time timestamptz not null
    )`.execute(db)

  await sql`
    alter table workload_identities
      add column project_id text collate "C" references projects (id),
      add column state_before_delete text
        constraint workload_identities_known_state_before
          check (state_before_delete is null or state_before_delete in ('ACTIVE', 'DISABLED') and state = 'DELETED'),
      add column last_rule_number integer not null default 0`.execute(db)
  await sql`
    update workload_identities set last_rule_number = coalesce((
      select max(substring(rule->>'id' from '^rule-([1-9][0-9]{0,8})$')::integer)
        from json_array_elements(config->'rules') as rule), 0)`.execute(db)
  await sql`
    create index workload_identities_by_parent
      on workload_identities (project_id, email collate "C") where not superseded`.execute(db)
}
