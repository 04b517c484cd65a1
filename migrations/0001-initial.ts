import { type Kysely, sql } from 'kysely'

/** The first schema: issuers, identities and their policies, signing keys, used tokens, and the decisions. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`create sequence revisions`.execute(db)

  await sql`
    create table issuers (
      id text primary key,
      issuer_url text not null constraint issuers_one_per_url unique,
      title text not null,
      provider_type text not null constraint issuers_known_provider check (provider_type in ('GITLAB')),
      state text not null constraint issuers_known_state check (state in ('ACTIVE', 'DISABLED', 'DELETED')),
      algorithms text[] not null constraint issuers_some_algorithm check (cardinality(algorithms) > 0),
      jwks json,
      revision bigint not null default nextval('revisions'),
      create_time timestamptz not null,
      update_time timestamptz not null
    )`.execute(db)

  await sql`
    create table policies (
      digest text primary key constraint policies_sha256_digest check (digest ~ '^sha256:[0-9a-f]{64}$'),
      compiler text not null,
      entrypoint text not null,
      modules json not null,
      wasm bytea not null,
      compile_time timestamptz not null
    )`.execute(db)

  await sql`
    create table workload_identities (
      id uuid primary key,
      email text not null,
      superseded boolean not null default false,
      title text not null,
      state text not null constraint workload_identities_known_state check (state in ('ACTIVE', 'DISABLED', 'DELETED')),
      token_lifetime_seconds integer not null
        constraint workload_identities_token_lifetime check (token_lifetime_seconds between 60 and 3600),
      subject_token_use text not null
        constraint workload_identities_known_use check (subject_token_use in ('ONCE', 'MANY')),
      token_audiences json not null,
      recorded_claims json not null,
      config json not null,
      issuer_id text not null references issuers (id),
      policy_digest text not null references policies (digest),
      revision bigint not null default nextval('revisions'),
      create_time timestamptz not null,
      update_time timestamptz not null,
      constraint workload_identities_superseded_is_deleted check (not superseded or state = 'DELETED')
    )`.execute(db)
  await sql`
    create unique index workload_identities_one_current_per_email
      on workload_identities (email) where not superseded`.execute(db)

  await sql`
    create table signing_keys (
      kid text primary key,
      algorithm text not null constraint signing_keys_es256 check (algorithm = 'ES256'),
      public_jwk json not null,
      encrypted_private_key text not null,
      state text not null constraint signing_keys_known_state check (state in ('ACTIVE', 'RETIRED')),
      create_time timestamptz not null
    )`.execute(db)
  await sql`create unique index signing_keys_one_active on signing_keys (state) where state = 'ACTIVE'`.execute(
    db,
  )

  await sql`
    create table used_tokens (
      issuer_url text not null,
      jti_hash bytea not null,
      decision_id uuid not null,
      use_time timestamptz not null,
      keep_until timestamptz not null,
      primary key (issuer_url, jti_hash)
    )`.execute(db)
  await sql`create index used_tokens_by_keep_until on used_tokens (keep_until)`.execute(db)

  await sql`
    create table readiness (
      one boolean primary key default true constraint readiness_single_row check (one),
      check_time timestamptz not null
    )`.execute(db)
  await sql`insert into readiness (check_time) values (now())`.execute(db)

  await sql`
    create table decisions (
      id uuid primary key,
      kind text not null constraint decisions_known_kind check (kind in ('EXCHANGE', 'DRY_RUN', 'ACCESS')),
      outcome text not null constraint decisions_known_outcome check (outcome in ('ALLOWED', 'DENIED', 'FAILED')),
      reason text not null,
      identity text,
      identity_id uuid,
      issuer_url text,
      subject text,
      claims text,
      verdict text,
      policy_digest text,
      guardrails_digest text,
      subject_token_hash bytea,
      subject_key_id text,
      issued_key_id text,
      issued_expire_time timestamptz,
      decide_time timestamptz not null,
      request_id text,
      caller_ip text,
      user_agent text,
      count integer not null default 1 constraint decisions_positive_count check (count > 0),
      constraint decisions_allowed_means_allowed check ((outcome = 'ALLOWED') = (reason = 'allowed')),
      constraint decisions_allowed_is_explained check (
        outcome <> 'ALLOWED' or kind <> 'EXCHANGE' or
        num_nonnulls(identity_id, claims, verdict, policy_digest, issued_key_id, issued_expire_time) = 6),
      constraint decisions_only_allowed_issue check (outcome = 'ALLOWED' or issued_key_id is null)
    ) partition by range (id)`.execute(db)
  await sql`create index decisions_by_identity on decisions (identity, id)`.execute(db)
  await sql`create index decisions_by_outcome on decisions (outcome, id)`.execute(db)

  await sql`
    create function refuse_change() returns trigger language plpgsql as $$
    begin
      raise exception '% is append-only: % is refused', tg_table_name, tg_op using errcode = 'insufficient_privilege';
    end $$`.execute(db)
  for (const table of ['decisions', 'policies']) {
    await sql`
      create trigger append_only before update or delete on ${sql.table(table)}
        for each row execute function refuse_change()`.execute(db)
    await sql`
      create trigger never_truncated before truncate on ${sql.table(table)}
        for each statement execute function refuse_change()`.execute(db)
  }

  await sql`create table decisions_default partition of decisions default`.execute(db)
  // The parent's TRUNCATE trigger does not fire for a partition that is truncated by its own name.
  await sql`
    create trigger never_truncated before truncate on decisions_default
      for each statement execute function refuse_change()`.execute(db)

  await sql`
    create function uuid_v7_floor(moment timestamptz) returns uuid language sql immutable as $$
      select (lpad(to_hex((extract(epoch from moment) * 1000)::bigint), 12, '0') || '00000000000000000000')::uuid
    $$`.execute(db)
  await sql`
    create function ensure_decision_partitions(from_time timestamptz, months_ahead integer) returns integer
      language plpgsql security definer as $$
    declare
      month_start timestamp;
      partition_name text;
      made integer := 0;
    begin
      if months_ahead not between 0 and 24 then
        raise exception 'months_ahead must be between 0 and 24';
      end if;
      perform pg_advisory_xact_lock(hashtext('claimgate.decision_partitions'));
      for month in 0 .. months_ahead loop
        month_start := date_trunc('month', from_time at time zone 'UTC') + make_interval(months => month);
        partition_name := 'decisions_' || to_char(month_start, 'YYYY_MM');
        continue when to_regclass(quote_ident(partition_name)) is not null;
        begin
          execute format(
            'create table %I partition of decisions for values from (%L) to (%L)', partition_name,
            uuid_v7_floor(month_start at time zone 'UTC'),
            uuid_v7_floor((month_start + make_interval(months => 1)) at time zone 'UTC'));
          execute format(
            'create trigger never_truncated before truncate on %I for each statement execute function refuse_change()',
            partition_name);
          made := made + 1;
        exception when check_violation then
          -- Rows of this month lie in decisions_default already; the months after it are made all the same.
          null;
        end;
      end loop;
      return made;
    end $$`.execute(db)
  // With the owner's rights, it must not find a caller's temporary table under the name of one of ours.
  await sql`do $$
    begin
      execute format('alter function ensure_decision_partitions set search_path = %I, pg_temp', current_schema());
    end $$`.execute(db)
  await sql`revoke execute on function ensure_decision_partitions from public`.execute(db)
}
