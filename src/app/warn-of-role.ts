import { canChangeDecisions } from '../db/check-database.ts'
import type { Database } from '../db/database.ts'
import type { Log } from '../log.ts'

/** Says where nothing but triggers keeps the service itself from changing what it recorded. */
export async function warnOfRole(db: Database, log: Log): Promise<void> {
  if (db.kind !== 'postgresql' || !(await canChangeDecisions(db))) return
  log.warn(
    'the database role could change recorded decisions: set MIGRATION_DATABASE_URL to separate the two',
  )
}
