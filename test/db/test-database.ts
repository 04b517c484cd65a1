import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import type { Database } from '../../src/db/database.ts'
import { openEmbedded } from '../../src/db/embedded.ts'
import { migrate } from '../../src/db/migrate.ts'
import { openPostgresql } from '../../src/db/postgresql.ts'
import { createLog } from '../../src/log.ts'
import { copyEmbeddedTemplate } from '../support/embedded-template.ts'
import { createDatabase, createMigratedDatabase, type DatabaseKind } from '../support/world.ts'

export type TestDatabase = {
  readonly db: Database
  /** Undefined for the embedded one, which has no second way in. */
  readonly url: string | undefined
  /** Runs SQL as the owner and superuser; returns its rows. */
  // biome-ignore lint/suspicious/noExplicitAny: rows of every shape
  query(text: string): Promise<any[]>
  /** What the database says to SQL that it refuses; fails where it does not refuse it. */
  refusal(text: string): Promise<string>
  close(): Promise<void>
}

/** An empty database of the test's own, with the schema unless it is told to leave it. */
export async function openTestDatabase(
  kind: DatabaseKind,
  options = { migrate: true },
): Promise<TestDatabase> {
  const create = options.migrate ? createMigratedDatabase : createDatabase
  const database = kind === 'postgresql' ? await create() : undefined
  const directory = mkdtempSync(join(tmpdir(), 'claimgate-database-'))
  if (kind === 'embedded' && options.migrate) copyEmbeddedTemplate(directory)
  const db = database ? openPostgresql(database.url, createLog('silent')) : await openEmbedded(directory)
  // Where a template was copied, there is nothing left to do.
  if (options.migrate) await migrate(db)

  const query = async (text: string) => (await sql.raw(text).execute(db.kysely)).rows
  return {
    db,
    url: database?.url,
    query,
    refusal: (text) =>
      query(text).then(
        () => Promise.reject(new Error(`It was not refused: ${text}`)),
        (error: Error) => error.message,
      ),
    async close() {
      await db.close()
      await database?.drop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
