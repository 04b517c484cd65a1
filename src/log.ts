import { type Logger, pino } from 'pino'

export type Log = Logger

/** Writes JSON lines to a file descriptor. Callers pass named fields only: never a request, a token or a header. */
export function createLog(level: string, fileDescriptor: 1 | 2 = 1): Log {
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime }
  return pino(options, pino.destination({ fd: fileDescriptor, sync: true }))
}
