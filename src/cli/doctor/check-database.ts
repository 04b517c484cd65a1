import type { Config } from '../../config/env.ts'
import type { Database } from '../../db/database.ts'
import { isLoginRefused } from '../../db/database-fault.ts'
import {
  findMissingRights,
  inspectAppendOnly,
  inspectPartitions,
  ownsTables,
  readDatabaseClock,
  readMaxConnections,
  readServerSettings,
} from '../../db/inspect-database.ts'
import { compareMigrations } from '../../db/migrate.ts'
import { MIGRATION_LIMITS, openPostgresql, SERVICE_LIMITS } from '../../db/postgresql.ts'
import { createDecisionStore, MONTHS_AHEAD } from '../../decision/decision-store.ts'
import type { Log } from '../../log.ts'
import { type Check, causeOf, type Seen } from './finding.ts'

type Deps = { readonly config: Config; readonly log: Log; readonly db: Database }

const MIGRATE = "run 'npm run migrate', or serve without --no-migrate"

/** Whether committed decisions stay, and both sides agree on the time. */
export function serverChecks({ config, db }: Deps): readonly Check[] {
  if (db.kind === 'embedded') return []
  return [
    {
      name: 'durability',
      async look() {
        const { version, readOnly, fsync, fullPageWrites, synchronousCommit } = await readServerSettings(db)
        if (readOnly)
          return [
            'problem',
            'The database is read-only, a standby perhaps: point DATABASE_URL at the primary.',
          ]
        const lossy = [
          ...(fsync ? [] : ['fsync']),
          ...(fullPageWrites ? [] : ['full_page_writes']),
          ...(synchronousCommit === 'off' ? ['synchronous_commit'] : []),
        ]
        if (lossy.length === 0) return ['ok', `PostgreSQL ${version} keeps what it commits.`]
        return [
          'problem',
          `${lossy.join(' and ')} ${lossy.length === 1 ? 'is' : 'are'} off: a crash may lose recorded decisions and let used tokens be used again. Set ${lossy.length === 1 ? 'it' : 'them'} to on in PostgreSQL.`,
        ]
      },
    },
    {
      name: 'connections',
      async look() {
        const max = await readMaxConnections(db)
        const processes = config.workers > 1 ? config.workers + 1 : 1
        const needed = processes * SERVICE_LIMITS.maxConnections + MIGRATION_LIMITS.maxConnections
        if (needed <= max) return ['ok', `One instance takes ${needed} at most, of ${max}.`]
        return [
          'warning',
          `One instance takes ${needed} at most (WORKERS is ${config.workers}), but PostgreSQL has ${max} for all: raise its max_connections, or lower WORKERS.`,
        ]
      },
    },
    {
      name: 'clock',
      async look() {
        const sent = Date.now()
        const theirs = await readDatabaseClock(db)
        const got = Date.now()
        // What the way there and back took may be all on one side.
        const drift = Math.max(0, Math.abs(theirs - (sent + got) / 2) - (got - sent) / 2) / 1000
        const allowed = Math.max(config.clockSkewSeconds / 2, 1)
        if (drift <= allowed) return ['ok', "It agrees with the database's."]
        return [
          'warning',
          `It differs from the database's by ${Math.round(drift)} s, of the ${config.clockSkewSeconds} s that CLOCK_SKEW_SECONDS allows between all clocks: set both by NTP.`,
        ]
      },
    },
  ]
}

/** Whether the schema is the one of this version. */
export async function checkSchema(db: Database): Promise<Seen> {
  const { missing, unknown } = await compareMigrations(db)
  if (missing.length > 0) return ['problem', `${missing.join(', ')} is not applied: ${MIGRATE}.`]
  if (unknown.length === 0) return ['ok', 'It is up to date.']
  return [
    'warning',
    `${unknown.join(', ')} came from a later version: once no instance of this one is needed any more, upgrade it too.`,
  ]
}

/** What needs the schema: who may do what, and where decisions go. */
export function tableChecks(deps: Deps): readonly Check[] {
  const { config, db, log } = deps
  return [
    {
      name: 'rights',
      async look() {
        const missing = await findMissingRights(db)
        if (missing.length === 0) return ['ok', 'The role that serves has every right that it needs.']
        return [
          'problem',
          `The role that serves lacks ${missing.join(', ')}: run 'npm run migrate' with MIGRATION_DATABASE_URL, which grants it.`,
        ]
      },
    },
    { name: 'append-only', look: () => checkAppendOnly(deps) },
    ...(config.migrationDatabaseUrl === undefined
      ? []
      : [{ name: 'migration role', look: () => checkOwner(config.migrationDatabaseUrl ?? '', log) }]),
    { name: 'retention', look: () => checkRetention(deps) },
    {
      name: 'partitions',
      async look() {
        const { missing, strayRows } = await inspectPartitions(db, Date.now(), MONTHS_AHEAD)
        if (strayRows) {
          return [
            'problem',
            'Decisions lie outside all monthly partitions (in decisions_default): a clock was wrong. Set the clocks by NTP; see docs/operate.md.',
          ]
        }
        if (missing.length === 0) return ['ok', `This month and ${MONTHS_AHEAD} ahead have theirs.`]
        return [
          'warning',
          `None for ${missing.join(', ')}: the service makes them at its start and every hour. Start it; if it runs, see its log.`,
        ]
      },
    },
  ]
}

async function checkAppendOnly({ config, db }: Deps): Promise<Seen> {
  const { changeable, unguarded } = await inspectAppendOnly(db)
  if (unguarded.length > 0) {
    return [
      'problem',
      `The triggers that refuse changes are missing or disabled on ${unguarded.join(', ')}: find out who did it, then restore them as docs/operate.md has it.`,
    ]
  }
  // The embedded one has no second role to keep them from.
  if (changeable.length === 0 || db.kind === 'embedded')
    return ['ok', 'Recorded decisions cannot be changed.']
  if (config.migrationDatabaseUrl === undefined) {
    return [
      'warning',
      'Triggers keep recorded decisions, but the role that serves could remove them: set MIGRATION_DATABASE_URL to the owner and DATABASE_URL to a lesser role.',
    ]
  }
  return [
    'problem',
    `The role of DATABASE_URL could change ${changeable.join(', ')}: name a role there that neither owns them nor has more than the migration grants.`,
  ]
}

async function checkRetention({ config: { decisionRetentionDays: setting }, db }: Deps): Promise<Seen> {
  const stored = await createDecisionStore(db).retentionDays()
  const kept = stored === undefined ? 'for ever' : `for ${stored} days`
  if (stored === setting) return ['ok', `Decisions are kept ${kept}.`]
  return [
    'warning',
    `DECISION_RETENTION_DAYS is ${setting ?? 'not set'}, but the database keeps decisions ${kept}, and that counts: ${MIGRATE}.`,
  ]
}

async function checkOwner(url: string, log: Log): Promise<Seen> {
  const owner = openPostgresql(url, log)
  try {
    if (await ownsTables(owner)) return ['ok', 'MIGRATION_DATABASE_URL names the owner of the tables.']
    return [
      'problem',
      'The role that MIGRATION_DATABASE_URL names does not own the tables: name their owner.',
    ]
  } catch (error) {
    if (isLoginRefused(error)) {
      return ['problem', 'The database refuses the login that MIGRATION_DATABASE_URL names: check it.']
    }
    return ['problem', `MIGRATION_DATABASE_URL cannot be used: ${causeOf(error)}`]
  } finally {
    await owner.close()
  }
}
