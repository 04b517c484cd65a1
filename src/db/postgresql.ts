import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import type { Log } from '../log.ts'
import type { Database, PreparedStatement } from './database.ts'
import { databaseFault } from './database-fault.ts'
import type { Schema } from './schema.ts'

export type PostgresqlLimits = {
  readonly maxConnections: number
  readonly connectMs: number
  readonly statementMs: number
  readonly lockMs: number
  readonly idleInTransactionMs: number
}

/** For serving: nothing waits longer than an exchange may take. */
export const SERVICE_LIMITS: PostgresqlLimits = {
  maxConnections: 10,
  connectMs: 1_000,
  statementMs: 2_000,
  lockMs: 1_000,
  idleInTransactionMs: 5_000,
}

/** For migrations: several instances wait for each other, and an index may take a while. */
export const MIGRATION_LIMITS: PostgresqlLimits = {
  maxConnections: 2,
  connectMs: 5_000,
  statementMs: 120_000,
  lockMs: 60_000,
  idleInTransactionMs: 120_000,
}

/** The server's own limits need a server that answers; this one holds also when it is stopped or unplugged. */
const SILENT_SERVER_GRACE_MS = 500

/** Opens a pool on PostgreSQL 15 or later; nothing is connected before the first statement. */
export function openPostgresql(url: string, log: Log, limits: PostgresqlLimits = SERVICE_LIMITS): Database {
  const pool = new pg.Pool({
    connectionString: url,
    max: limits.maxConnections,
    connectionTimeoutMillis: limits.connectMs,
    statement_timeout: limits.statementMs,
    lock_timeout: limits.lockMs,
    idle_in_transaction_session_timeout: limits.idleInTransactionMs,
    application_name: 'claimgate',
    keepAlive: true,
  })
  // A connection that is lost would end the process: the pool listens while it is idle, this while it is in use.
  pool.on('connect', (client) => {
    client.on('error', (error) => log.warn({ cause: error.message }, 'a database connection was lost'))
  })
  pool.on('error', () => undefined)
  const clients = droppingBrokenClients(pool, limits.statementMs + SILENT_SERVER_GRACE_MS)
  return {
    kind: 'postgresql',
    kysely: new Kysely<Schema>({ dialect: new PostgresDialect({ pool: clients }) }),
    async run<Row>(statement: PreparedStatement, values: readonly unknown[]) {
      const client = await clients.connect()
      try {
        const result = await client.query({ name: statement.name, text: statement.text, values: [...values] })
        return result.rows as Row[]
      } finally {
        client.release()
      }
    },
    connections: () => ({ total: pool.totalCount, idle: pool.idleCount, waiting: pool.waitingCount }),
    close: () => pool.end(),
  }
}

/** The class of SQLSTATE that a server ends a connection with. */
const SHUT_DOWN = '57P'

/** A client whose query timed out is still busy with it: it is closed, not handed to the next caller. */
function droppingBrokenClients(pool: pg.Pool, silenceMs: number) {
  return {
    options: {},
    end: () => pool.end(),
    async connect() {
      const client = await pool.connect().catch((error: unknown) => {
        throw databaseFault(error)
      })
      let broken = false
      return {
        // By a callback and with a timer of our own: for its promises and its `query_timeout` pg assigns a function to
        // the query, and V8 makes such functions old at once. Each then kept its query, with the values, until all
        // garbage was collected (measured: half of what exchanges left behind).
        // biome-ignore lint/suspicious/noExplicitAny: pg and kysely declare `query` as overloads that share no type
        query(query: any, values?: any): any {
          return new Promise((resolve, reject) => {
            const fail = (error: Error) => {
              broken ||= !(error instanceof pg.DatabaseError) || error.code?.startsWith(SHUT_DOWN) === true
              reject(databaseFault(error))
            }
            const timer = setTimeout(fail, silenceMs, new Error('The server did not answer in time.'))
            client.query(query, values, (error: Error | null, result) => {
              clearTimeout(timer)
              if (error === null) return resolve(result)
              fail(error)
            })
          })
        },
        release: () => client.release(broken),
      }
    },
  }
}
