import { type Kysely, type Selectable, sql } from 'kysely'
import type { Database } from '../db/database.ts'
import type { GuardrailsVersionTable, Schema } from '../db/schema.ts'
import type { GuardrailsTest } from '../policy/test-guardrails.ts'
import type { Guardrails, GuardrailsVersion } from './guardrails.ts'

export type GuardrailsStore = {
  /** Those that count now. */
  current(): Promise<Guardrails>
  /** Newest first; those before a version. */
  listVersions(query: {
    readonly before: number | undefined
    readonly limit: number
  }): Promise<readonly GuardrailsVersion[]>
  getVersion(version: number): Promise<GuardrailsVersion | undefined>
}

export function createGuardrailsStore(db: Database): GuardrailsStore {
  const versions = () => db.kysely.selectFrom('guardrails_versions').selectAll()
  return {
    async current() {
      return fromRow(await selectCurrent(db.kysely).executeTakeFirstOrThrow())
    },
    async listVersions({ before, limit }) {
      let select = versions().orderBy('version', 'desc').limit(limit)
      if (before !== undefined) select = select.where('version', '<', before)
      return (await select.execute()).map(versionFromRow)
    },
    async getVersion(version) {
      const row = await versions().where('version', '=', version).executeTakeFirst()
      return row && versionFromRow(row)
    },
  }
}

/** Keeps the guardrails from changing until the transaction ends, and tells what they are now. */
export async function lockGuardrails(trx: Kysely<Schema>): Promise<Guardrails> {
  return fromRow(await selectCurrent(trx).forUpdate('guardrails').executeTakeFirstOrThrow())
}

/** Adds a version and makes it the one that counts; the guardrails are locked, their policy is stored. */
export async function insertGuardrails(
  trx: Kysely<Schema>,
  { source, tests, digest, author }: Pick<GuardrailsVersion, 'source' | 'tests' | 'digest' | 'author'>,
  now: Date,
): Promise<Guardrails> {
  const { version } = await trx
    .insertInto('guardrails_versions')
    .values({
      version: sql<number>`(select coalesce(max(version), 0) + 1 from guardrails_versions)`,
      source,
      tests: JSON.stringify(tests),
      digest,
      author,
      create_time: now,
    })
    .returning('version')
    .executeTakeFirstOrThrow()
  await trx
    .updateTable('guardrails')
    .set({ version, revision: sql`nextval('revisions')`, update_time: now })
    .execute()
  return lockGuardrails(trx)
}

function selectCurrent(kysely: Kysely<Schema>) {
  return kysely
    .selectFrom('guardrails')
    .leftJoin('guardrails_versions', 'guardrails_versions.version', 'guardrails.version')
    .select(['source', 'tests', 'digest', 'revision', 'update_time'])
}

function fromRow(
  row: Awaited<ReturnType<ReturnType<typeof selectCurrent>['executeTakeFirstOrThrow']>>,
): Guardrails {
  return {
    source: row.source ?? '',
    tests: (row.tests ?? []) as readonly GuardrailsTest[],
    digest: row.digest,
    revision: row.revision,
    updateTime: row.update_time,
  }
}

function versionFromRow(row: Selectable<GuardrailsVersionTable>): GuardrailsVersion {
  const { version, source, digest, author } = row
  return {
    version,
    source,
    tests: row.tests as readonly GuardrailsTest[],
    digest,
    author,
    createTime: row.create_time,
  }
}
