import { type Kysely, sql } from 'kysely'

/** Reading decisions back: what else they are filtered by, and how long they are kept. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await addFilters(db)
  await addRetention(db)
  await makePartitionsWithoutWaiting(db)
}

/**
 * Pages are read in the order of ids, so each index ends with the id and a page begins wherever it has to. Nearly all
 * decisions allow, and such a row enters one index more than before: the others hold refusals or rarer kinds alone.
 * On a table with rows this waits for nobody but keeps others from recording until the indexes are made.
 */
async function addFilters(db: Kysely<unknown>): Promise<void> {
  await sql`alter table decisions add column project_path text, add column project text`.execute(db)

  await sql`create index decisions_by_project_path on decisions (project_path, id)`.execute(db)
  await sql`create index decisions_by_project on decisions (project, id) where project is not null`.execute(
    db,
  )
  await sql`create index decisions_by_kind on decisions (kind, id) where kind <> 'EXCHANGE'`.execute(db)

  await sql`create index refusals_by_reason on decisions (reason, id) where outcome <> 'ALLOWED'`.execute(db)
  // What is rare for one identity or project is found among what is frequent for all others.
  for (const whose of ['identity', 'project_path']) {
    for (const by of ['outcome', 'reason']) {
      await sql`
        create index ${sql.id(`refusals_by_${whose}_and_${by}`)} on decisions (${sql.id(whose)}, ${sql.id(by)}, id)
          where outcome <> 'ALLOWED'`.execute(db)
    }
  }
}

/**
 * Dropping months is what the service's own role may do, so how old they have to be is not its to say: the owner
 * writes it down when it migrates, and a clock that is ahead drops nothing.
 */
async function addRetention(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table decision_retention (
      one boolean primary key default true constraint decision_retention_single_row check (one),
      days integer not null constraint decision_retention_days check (days between 1 and 36500)
    )`.execute(db)

  await sql`
    create function retire_decision_partition(at_time timestamptz) returns text
      language plpgsql security definer set lock_timeout = '200ms' as $$
    declare
      cut timestamptz;
      retired text;
    begin
      select least(at_time, now()) - make_interval(days => days) into cut from decision_retention;
      -- Before 1970 there are no ids to compare with.
      if cut is null or cut < to_timestamp(0)
        or not pg_try_advisory_xact_lock(hashtext('claimgate.retirement')) then
        return null;
      end if;
      select relname into retired from (
        select relname, substring(pg_get_expr(relpartbound, oid) from ' TO [(]''([0-9a-f-]{36})''[)]')::uuid as upper
          from pg_class where oid in (select inhrelid from pg_inherits where inhparent = 'decisions'::regclass)
      ) partitions where upper <= uuid_v7_floor(cut) order by upper limit 1;
      if retired is not null then
        execute format('drop table %I', retired);
      end if;
      return retired;
    end $$`.execute(db)
  await keepForTheService(db, 'retire_decision_partition')
}

/**
 * A new partition locks out recording while it waits for whoever reads, so it does not wait long. Instances still wait
 * for each other: one that serves before there is a partition puts its rows elsewhere.
 */
async function makePartitionsWithoutWaiting(db: Kysely<unknown>): Promise<void> {
  await sql`alter function ensure_decision_partitions rename to make_decision_partitions`.execute(db)
  await sql`
    create function ensure_decision_partitions(from_time timestamptz, months_ahead integer) returns integer
      language plpgsql security definer as $$
    begin
      -- The names of partitions have four digits for the year, and no sign.
      if from_time not between '2020-01-01' and '2200-01-01' then
        raise exception 'from_time is out of range';
      end if;
      perform pg_advisory_xact_lock(hashtext('claimgate.decision_partitions'));
      perform set_config('lock_timeout', '200ms', true);
      return make_decision_partitions(from_time, months_ahead);
    end $$`.execute(db)
  await keepForTheService(db, 'ensure_decision_partitions')
}

/** With the owner's rights, a function must not find a caller's temporary table under the name of one of ours. */
async function keepForTheService(db: Kysely<unknown>, name: string): Promise<void> {
  await sql`do $$
    begin
      execute format('alter function ${sql.raw(name)} set search_path = %I, pg_temp', current_schema());
    end $$`.execute(db)
  await sql`revoke execute on function ${sql.id(name)} from public`.execute(db)
}
