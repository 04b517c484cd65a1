import pg from 'pg'
import { migrate } from '../../src/db/migrate.ts'
import { openPostgresql } from '../../src/db/postgresql.ts'
import { createLog } from '../../src/log.ts'

/** The database with the schema and nothing in it that the runner makes, to make others from. */
export const POSTGRESQL_TEMPLATE = 'claimgate_template'

export async function createPostgresqlTemplate(serverUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: `${serverUrl}/postgres` })
  await client.connect()
  await client.query(`create database ${POSTGRESQL_TEMPLATE}`)
  await client.end()
  const db = openPostgresql(`${serverUrl}/${POSTGRESQL_TEMPLATE}`, createLog('silent'))
  await migrate(db)
  await db.close()
}
