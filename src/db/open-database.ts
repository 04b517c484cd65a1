import type { Log } from '../log.ts'
import { checkVersion } from './check-database.ts'
import type { Database } from './database.ts'
import { isLoginRefused, sqlState } from './database-fault.ts'
import { openEmbedded } from './embedded.ts'
import { checkMigrated, migrate, storeRetention } from './migrate.ts'
import { MIGRATION_LIMITS, openPostgresql } from './postgresql.ts'

export type DatabaseSettings = {
  readonly databaseUrl: string | undefined
  readonly migrationDatabaseUrl: string | undefined
  readonly dataDir: string
  readonly decisionRetentionDays: number | undefined
}

/** Opens the database that the settings name, PostgreSQL or embedded, and brings its schema up to date if asked to. */
export async function openDatabase(
  settings: DatabaseSettings,
  options: { migrate: boolean; log: Log; onMigrated?: (applied: readonly string[]) => void },
): Promise<Database> {
  const { databaseUrl, dataDir } = settings
  const db =
    databaseUrl === undefined
      ? await openForTryingOut(dataDir, options.log)
      : openPostgresql(databaseUrl, options.log)
  try {
    await untilItAnswers(() => checkVersion(db), options.log)
    if (options.migrate) report(await migrateAs(settings, db, options.log), options)
    else await checkMigrated(db)
    return db
  } catch (error) {
    await db.close()
    throw error
  }
}

function openForTryingOut(dataDir: string, log: Log): Promise<Database> {
  log.warn(
    { dataDir },
    'DATABASE_URL is not set: decisions are kept in an embedded database, which is for trying out',
  )
  return openEmbedded(dataDir)
}

/** With a role of its own for migrations, the tables are that role's and the service gets rights on them. */
async function migrateAs(settings: DatabaseSettings, db: Database, log: Log): Promise<readonly string[]> {
  const { databaseUrl, migrationDatabaseUrl, decisionRetentionDays } = settings
  if (databaseUrl === undefined) return bringUpToDate(db, decisionRetentionDays)
  const owner = openPostgresql(migrationDatabaseUrl ?? databaseUrl, log, MIGRATION_LIMITS)
  try {
    const serviceRole = migrationDatabaseUrl === undefined ? undefined : await roleOf(db)
    return await bringUpToDate(owner, decisionRetentionDays, serviceRole)
  } catch (error) {
    if (sqlState(error) !== INSUFFICIENT_PRIVILEGE) throw error
    const name = migrationDatabaseUrl === undefined ? 'DATABASE_URL' : 'MIGRATION_DATABASE_URL'
    throw new Error(`The role that ${name} names has to own the database and its tables.`, { cause: error })
  } finally {
    await owner.close()
  }
}

async function bringUpToDate(
  owner: Database,
  retentionDays: number | undefined,
  serviceRole?: string,
): Promise<readonly string[]> {
  const applied = await migrate(owner, serviceRole)
  await storeRetention(owner, retentionDays)
  return applied
}

async function roleOf(db: Database): Promise<string> {
  const [row] = await db.run<{ role: string }>(
    { name: 'current-role', text: 'select current_user as role' },
    [],
  )
  if (row === undefined) throw new Error('The database does not tell its role.')
  return row.role
}

function report(
  applied: readonly string[],
  options: { log: Log; onMigrated?: (applied: readonly string[]) => void },
) {
  if (applied.length > 0) options.log.info({ migrations: applied }, 'migrated')
  options.onMigrated?.(applied)
}

/** A database that starts beside us may need a moment. */
const ATTEMPTS = 15
const PAUSE_MS = 1_000
/** SQLSTATE of a right that is missing. */
const INSUFFICIENT_PRIVILEGE = '42501'

async function untilItAnswers(attempt: () => Promise<void>, log: Log): Promise<void> {
  for (let left = ATTEMPTS; ; left--) {
    try {
      return await attempt()
    } catch (error) {
      const { code, cause } = error as { code?: string; cause?: unknown }
      if (isLoginRefused(error)) {
        throw new Error('The database refuses the login that DATABASE_URL names.', { cause })
      }
      if (left === 1 || code !== 'unavailable') throw error
      log.warn({ cause: String(cause) }, 'the database does not answer yet')
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    }
  }
}
