import { type Kysely, sql } from 'kysely'

/** What every save made of a policy's subject, for ever; and what is about to be made of one. */
export async function up(db: Kysely<unknown>): Promise<void> {
  // A subject is 'workloadIdentities/' with the internal id, which is never used again, or another resource's name.
  await sql`
    create table policy_versions (
      subject text collate "C" not null,
      number integer not null constraint policy_versions_positive_number check (number > 0),
      change text not null constraint policy_versions_known_change
        check (change in ('CREATE', 'UPDATE', 'DELETE', 'UNDELETE', 'ROLLBACK', 'ACTIVATION')),
      restored_number integer
        constraint policy_versions_rollback_restores check ((change = 'ROLLBACK') = (restored_number is not null)),
      author text not null,
      reason text constraint policy_versions_reason_length check (length(reason) between 1 and 500),
      state text not null,
      resource json not null,
      policy_digest text references policies (digest),
      create_time timestamptz not null,
      primary key (subject, number)
    )`.execute(db)
  await sql`
    create trigger append_only before update or delete on policy_versions
      for each row execute function refuse_change()`.execute(db)
  await sql`
    create trigger never_truncated before truncate on policy_versions
      for each statement execute function refuse_change()`.execute(db)
  // What was saved before there were versions is the first of them, so that it can be gone back to.
  await sql`
    insert into policy_versions (subject, number, change, author, state, resource, policy_digest, create_time)
    select 'workloadIdentities/' || id, 1, 'CREATE', 'migration', state,
      json_build_object('title', title, 'tokenLifetimeSeconds', token_lifetime_seconds,
        'subjectTokenUse', subject_token_use, 'tokenAudiences', token_audiences, 'recordedClaims', recorded_claims,
        'workloadIdentityConfig', config, 'tests', tests), policy_digest, update_time
    from workload_identities`.execute(db)

  await sql`
    create table drafts (
      subject text collate "C" primary key,
      resource json not null,
      policy_digest text references policies (digest),
      base_number integer not null,
      author text not null,
      revision bigint not null default nextval('revisions'),
      impact_id uuid,
      update_time timestamptz not null,
      foreign key (subject, base_number) references policy_versions (subject, number)
    )`.execute(db)
}
