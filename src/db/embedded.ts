import { join } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import { Kysely, PGliteDialect } from 'kysely'
import type { Database, PreparedStatement } from './database.ts'
import { databaseFault } from './database-fault.ts'
import { lockDataDir } from './lock-data-dir.ts'
import type { Schema } from './schema.ts'

/** PostgreSQL inside this process, for trying out: one connection, one process, and its fsync is off. */
export async function openEmbedded(dataDir: string): Promise<Database> {
  const unlock = lockDataDir(dataDir)
  const pglite = await PGlite.create({
    dataDir: join(dataDir, 'database'),
    parsers: { [INT8]: (text) => text },
  })
  const kysely = new Kysely<Schema>({ dialect: new PGliteDialect({ pglite }) })
  return {
    kind: 'embedded',
    kysely,
    async run<Row>(statement: PreparedStatement, values: readonly unknown[]) {
      try {
        const result = await pglite.query<Row>(statement.text, [...values])
        return result.rows
      } catch (error) {
        throw databaseFault(error)
      }
    },
    async close() {
      await pglite.close()
      unlock()
    },
  }
}

/** The type's object id; 64-bit integers are read as text, as pg reads them. */
const INT8 = 20
