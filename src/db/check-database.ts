import { sql } from 'kysely'
import type { Database } from './database.ts'

const OLDEST_POSTGRESQL = 15

/** Throws unless the server is PostgreSQL 15 or later; its message is for the operator. */
export async function checkVersion(db: Database): Promise<void> {
  const { rows } = await sql<{
    version: string
  }>`select current_setting('server_version_num') as version`.execute(db.kysely)
  const major = Math.floor(Number(rows[0]?.version) / 10_000)
  if (major < OLDEST_POSTGRESQL)
    throw new Error(`PostgreSQL ${OLDEST_POSTGRESQL} or later is needed; this is ${major}.`)
}

/** Throws unless a row can be written and committed now: a full disk or a standby fails here. */
export async function checkWritable(db: Database): Promise<void> {
  await db.run({ name: 'check-writable', text: 'update readiness set check_time = now()' }, [])
}

/** Whether the role that serves could change recorded decisions, as the tables' owner or a superuser could. */
export async function canChangeDecisions(db: Database): Promise<boolean> {
  const { rows } = await sql<{ can: boolean }>`
    select pg_has_role(current_user, relowner, 'usage') as can from pg_class where oid = 'decisions'::regclass`.execute(
    db.kysely,
  )
  return rows[0]?.can === true
}
