import { unavailable } from '../errors.ts'

/**
 * SQLSTATE classes that are no single statement's fault: connection, transaction state (read-only), authorization,
 * resources (disk, connections), object in use (locks), operator (time-outs, shutdown), system.
 */
const FAULTS_OF_THE_WHOLE = new Set(['08', '25', '28', '53', '55', '57', '58'])

/**
 * Turns what a driver threw into `unavailable` where the database as a whole does not serve: no connection, a
 * time-out, a lock, no disk, read-only, shutting down. What the database says about one statement stays as it is.
 */
export function databaseFault(error: unknown): unknown {
  const state = sqlState(error)
  if (state !== undefined && !FAULTS_OF_THE_WHOLE.has(state.slice(0, 2))) return error
  return unavailable('The database does not answer.', error)
}

/** The five characters (PostgreSQL, appendix A) of an error that the database sent; undefined for any other error. */
export function sqlState(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined
  // A digit tells it from errno names such as EPIPE.
  return typeof error.code === 'string' && /^(?=.*\d)[0-9A-Z]{5}$/.test(error.code) ? error.code : undefined
}

/** SQLSTATE class of a login that is refused: waiting would not help. */
const LOGIN_REFUSED = '28'

/** Whether an `unavailable` came of a wrong password, or of a role that may not log in. */
export function isLoginRefused(error: unknown): boolean {
  return error instanceof Error && sqlState(error.cause)?.startsWith(LOGIN_REFUSED) === true
}

/** The constraint that a statement violated, if that is what happened. */
export function violatedConstraint(error: unknown): string | undefined {
  if (!sqlState(error)?.startsWith('23')) return undefined
  const { constraint } = error as { constraint?: unknown }
  return typeof constraint === 'string' ? constraint : undefined
}
