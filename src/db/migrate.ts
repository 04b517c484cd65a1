import { sql } from 'kysely'
import { type Migration, Migrator } from 'kysely/migration'
import * as initial from '../../migrations/0001-initial.ts'
import * as projects from '../../migrations/0002-projects.ts'
import * as decisionHistory from '../../migrations/0003-decision-history.ts'
import * as explainedTokens from '../../migrations/0004-explained-tokens.ts'
import * as guardrails from '../../migrations/0005-guardrails.ts'
import * as providers from '../../migrations/0006-providers.ts'
import * as identityTests from '../../migrations/0007-identity-tests.ts'
import * as policyVersions from '../../migrations/0008-policy-versions.ts'
import * as guardrailsVersions from '../../migrations/0009-guardrails-versions.ts'
import * as roles from '../../migrations/0010-roles.ts'
import * as accessDecisions from '../../migrations/0011-access-decisions.ts'
import * as tokenRevocation from '../../migrations/0012-token-revocation.ts'
import * as signingKeyRotation from '../../migrations/0013-signing-key-rotation.ts'
import * as changes from '../../migrations/0014-changes.ts'
import * as compressedPolicies from '../../migrations/0015-compressed-policies.ts'
import { unavailable } from '../errors.ts'
import type { Database } from './database.ts'

/** In order; a migration that is on main is never changed, a later one mends it. */
const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '0001-initial': initial,
  '0002-projects': projects,
  '0003-decision-history': decisionHistory,
  '0004-explained-tokens': explainedTokens,
  '0005-guardrails': guardrails,
  '0006-providers': providers,
  '0007-identity-tests': identityTests,
  '0008-policy-versions': policyVersions,
  '0009-guardrails-versions': guardrailsVersions,
  '0010-roles': roles,
  '0011-access-decisions': accessDecisions,
  '0012-token-revocation': tokenRevocation,
  '0013-signing-key-rotation': signingKeyRotation,
  '0014-changes': changes,
  '0015-compressed-policies': compressedPolicies,
}

/** What the service's own role may do where it does not own the tables; what is kept for ever is only added. */
export const SERVICE_RIGHTS: readonly (readonly [rights: string, on: string])[] = [
  ['select, insert', 'table decisions, policies, policy_versions, changes'],
  ['select', 'table decisions_default'],
  ['select, insert, update', 'table issuers, projects, workload_identities, signing_keys, admin_tokens'],
  ['select, insert, delete', 'table used_tokens, explained_tokens, revoked_tokens, project_bindings'],
  ['select, insert, update, delete', 'table drafts, roles'],
  ['select, update', 'table readiness, guardrails, role_changes'],
  ['select', 'table kysely_migration, decision_retention'],
  ['usage', 'sequence revisions'],
  ['execute', 'function ensure_decision_partitions, retire_decision_partition'],
]

/**
 * Brings the schema up to date, one instance at a time (an advisory lock), each migration once and all or none.
 * `serviceRole` names a lesser role that exists already; its rights are granted anew each time.
 * Returns the names of the migrations that were applied; throws what the database says.
 */
export async function migrate(db: Database, serviceRole?: string): Promise<readonly string[]> {
  const migrator = new Migrator({
    db: db.kysely,
    provider: { getMigrations: async () => ({ ...MIGRATIONS }) },
  })
  const { error, results } = await migrator.migrateToLatest()
  if (error !== undefined) throw error
  if (serviceRole !== undefined) await grantServiceRights(db, serviceRole)
  return (results ?? []).map((result) => result.migrationName)
}

/**
 * Writes down for how many days decisions are kept, for ever where it is undefined. Only the owner of the tables may:
 * what is older is dropped by this number, whatever a service that cannot write it is told.
 */
export async function storeRetention(db: Database, days: number | undefined): Promise<void> {
  if (days === undefined) await db.kysely.deleteFrom('decision_retention').execute()
  else {
    await db.kysely
      .insertInto('decision_retention')
      .values({ days })
      .onConflict((conflict) => conflict.column('one').doUpdateSet({ days }))
      .execute()
  }
}

/** Throws unless every migration of this version is applied. */
export async function checkMigrated(db: Database): Promise<void> {
  if (!(await isMigrated(db))) {
    throw unavailable(
      "The database's schema is not up to date: run 'npm run migrate', or serve without --no-migrate.",
    )
  }
}

/** Whether every migration of this version is applied; false also where there is no schema at all. */
export async function isMigrated(db: Database): Promise<boolean> {
  return (await compareMigrations(db)).missing.length === 0
}

/** Migrations of this version that are not applied, and applied ones that this version does not know. */
export async function compareMigrations(
  db: Database,
): Promise<{ missing: readonly string[]; unknown: readonly string[] }> {
  const wanted = Object.keys(MIGRATIONS)
  const table = await sql<{
    present: boolean
  }>`select to_regclass('kysely_migration') is not null as present`.execute(db.kysely)
  if (table.rows[0]?.present !== true) return { missing: wanted, unknown: [] }
  const applied = await sql<{ name: string }>`select name from kysely_migration`.execute(db.kysely)
  const names = applied.rows.map((row) => row.name)
  return {
    missing: wanted.filter((name) => !names.includes(name)),
    unknown: names.filter((name) => !wanted.includes(name)),
  }
}

async function grantServiceRights(db: Database, role: string): Promise<void> {
  await db.kysely.transaction().execute(async (trx) => {
    // Two instances that grant at once would collide on the catalogue's rows.
    await sql`select pg_advisory_xact_lock(hashtext('claimgate.grants'))`.execute(trx)
    await sql`grant usage on schema ${sql.id(await currentSchema(trx))} to ${sql.id(role)}`.execute(trx)
    for (const [rights, on] of SERVICE_RIGHTS) {
      await sql`grant ${sql.raw(rights)} on ${sql.raw(on)} to ${sql.id(role)}`.execute(trx)
    }
  })
}

async function currentSchema(trx: Database['kysely']): Promise<string> {
  const result = await sql<{ name: string }>`select current_schema() as name`.execute(trx)
  return result.rows[0]?.name ?? 'public'
}
