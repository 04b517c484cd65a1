import type { Database } from './database.ts'
import { SERVICE_RIGHTS } from './migrate.ts'

/** What of a server decides whether a committed row stays. */
export type ServerSettings = {
  readonly version: string
  readonly readOnly: boolean
  readonly fsync: boolean
  readonly fullPageWrites: boolean
  readonly synchronousCommit: string
}

/** The settings as they hold for this connection's role and database. */
export async function readServerSettings(db: Database): Promise<ServerSettings> {
  return one(
    await db.run<ServerSettings>(
      {
        name: 'server-settings',
        text: `
          select current_setting('server_version') as version,
            pg_is_in_recovery() or current_setting('transaction_read_only') = 'on' as "readOnly",
            current_setting('fsync') = 'on' as fsync,
            current_setting('full_page_writes') = 'on' as "fullPageWrites",
            current_setting('synchronous_commit') as "synchronousCommit"`,
      },
      [],
    ),
  )
}

/** How many connections the server has for roles that are no superusers, all of them together. */
export async function readMaxConnections(db: Database): Promise<number> {
  const text = `
    select current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer
      - coalesce(current_setting('reserved_connections', true)::integer, 0) as max`
  return one(await db.run<{ max: number }>({ name: 'max-connections', text }, [])).max
}

/** The database's clock in milliseconds since the epoch. */
export async function readDatabaseClock(db: Database): Promise<number> {
  const text = 'select (extract(epoch from clock_timestamp()) * 1000)::float8 as now'
  return one(await db.run<{ now: number }>({ name: 'database-clock', text }, [])).now
}

/** What the service's role needs and this connection's role lacks, as `insert on decisions`. */
export async function findMissingRights(db: Database): Promise<readonly string[]> {
  const needed = SERVICE_RIGHTS.flatMap(([rights, on]) => {
    const [kind = '', names = ''] = on.split(/ (.*)/)
    return names.split(', ').flatMap((name) => rights.split(', ').map((right) => ({ kind, name, right })))
  })
  const rows = await db.run<{ lacks: string }>(
    {
      name: 'missing-rights',
      text: `
        select "right" || ' on ' || name as lacks
        from json_to_recordset($1::json) as needed(kind text, name text, "right" text)
        where not case kind
          when 'table' then has_table_privilege(name, "right")
          when 'sequence' then has_sequence_privilege(name, "right")
          else coalesce((select bool_and(has_function_privilege(oid, "right")) from pg_proc
            where proname = name and pg_function_is_visible(oid)), false)
        end`,
    },
    [JSON.stringify(needed)],
  )
  return rows.map(({ lacks }) => lacks)
}

/** The tables that are only ever added to: which of them this role could change, and which have lost a trigger. */
export async function inspectAppendOnly(
  db: Database,
): Promise<{ readonly changeable: readonly string[]; readonly unguarded: readonly string[] }> {
  const rows = await db.run<{ name: string; changeable: boolean; guarded: boolean }>(
    {
      name: 'append-only-tables',
      text: `
        select relname as name,
          pg_has_role(current_user, relowner, 'usage') or has_table_privilege(c.oid, 'delete')
            or has_table_privilege(c.oid, 'truncate') or has_any_column_privilege(c.oid, 'update') as changeable,
          (select count(distinct tgname) from pg_trigger join pg_proc p on p.oid = tgfoid
            where tgrelid = c.oid and proname = 'refuse_change' and tgenabled in ('O', 'A')
              and tgname in ('append_only', 'never_truncated')) = 2 as guarded
        from pg_class c
        where c.oid in ('policies'::regclass, 'policy_versions'::regclass, 'changes'::regclass) or c.oid in (select relid from pg_partition_tree('decisions'))
        order by relname`,
    },
    [],
  )
  return {
    changeable: rows.filter((row) => row.changeable).map(({ name }) => name),
    unguarded: rows.filter((row) => !row.guarded).map(({ name }) => name),
  }
}

/** The months from `nowMs` on that have no partition of `decisions`, and whether rows lie outside all of them. */
export async function inspectPartitions(
  db: Database,
  nowMs: number,
  monthsAhead: number,
): Promise<{ readonly missing: readonly string[]; readonly strayRows: boolean }> {
  return one(
    await db.run<{ missing: string[]; strayRows: boolean }>(
      {
        name: 'decision-partitions',
        text: `
          select array(
              select to_char(month, 'YYYY-MM')
              from generate_series(0, $2::integer) as ahead,
                lateral (select date_trunc('month', $1::timestamptz at time zone 'UTC') + make_interval(months => ahead)) as m(month)
              where to_regclass('decisions_' || to_char(month, 'YYYY_MM')) is null
            ) as missing,
            exists (select from decisions_default) as "strayRows"`,
      },
      [new Date(nowMs).toISOString(), monthsAhead],
    ),
  )
}

/** Whether this connection's role may change the tables themselves, as migrations do. */
export async function ownsTables(db: Database): Promise<boolean> {
  const text = `select pg_has_role(current_user, relowner, 'usage') as owns from pg_class where oid = 'decisions'::regclass`
  return one(await db.run<{ owns: boolean }>({ name: 'owns-tables', text }, [])).owns
}

function one<Row>(rows: readonly Row[]): Row {
  const [row] = rows
  if (row === undefined) throw new Error('The database gave no row.')
  return row
}
