import type { Kysely } from 'kysely'
import type { Schema } from './schema.ts'

/** A statement that is sent again and again: PostgreSQL parses it once for each connection, under its name. */
export type PreparedStatement = { readonly name: string; readonly text: string }

/** `waiting`: who waits for one. */
export type Connections = { readonly total: number; readonly idle: number; readonly waiting: number }

/**
 * The one door to a database, PostgreSQL or embedded.
 * Every wait has an end: connections, statements and locks fail instead of hanging (see the two openers).
 */
export type Database = {
  readonly kind: 'postgresql' | 'embedded'
  readonly kysely: Kysely<Schema>
  /** Runs one statement as a transaction of its own; it is committed when this returns. */
  run<Row>(statement: PreparedStatement, values: readonly unknown[]): Promise<Row[]>
  /** How its connections are used; absent where it has no pool. */
  readonly connections?: () => Connections
  close(): Promise<void>
}
