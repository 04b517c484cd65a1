import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../../config/env.ts'
import { checkVersion } from '../../db/check-database.ts'
import type { Database } from '../../db/database.ts'
import { isLoginRefused } from '../../db/database-fault.ts'
import { openEmbedded } from '../../db/embedded.ts'
import { openPostgresql } from '../../db/postgresql.ts'
import type { Log } from '../../log.ts'
import { causeOf, type Status } from './finding.ts'

export type Opened = { readonly db: Database } | { readonly status: Status; readonly message: string }

/** Opens the database as it is: nothing is made, migrated or waited for. */
export async function openForLooking({ databaseUrl, dataDir }: Config, log: Log): Promise<Opened> {
  if (databaseUrl !== undefined) return openServer(databaseUrl, log)
  if (!existsSync(join(dataDir, 'database'))) {
    return { status: 'ok', message: `There is none in ${dataDir} yet: the first start makes it.` }
  }
  try {
    return { db: await openEmbedded(dataDir) }
  } catch (error) {
    const message = `${causeOf(error)} While a service runs on it, only the service can look: see its /readyz.`
    return { status: 'unknown', message }
  }
}

async function openServer(url: string, log: Log): Promise<Opened> {
  const db = openPostgresql(url, log)
  try {
    await checkVersion(db)
    return { db }
  } catch (error) {
    await db.close()
    if (isLoginRefused(error)) {
      const message = 'The database refuses the login: check the user and the password in DATABASE_URL.'
      return { status: 'problem', message }
    }
    return {
      status: 'problem',
      message: `It cannot be used: ${causeOf(error)}. Check DATABASE_URL, and that it runs.`,
    }
  }
}
