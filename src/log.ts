import { type Logger, pino } from 'pino'

export type Log = Logger

/** What may wait for a reader that is slow or gone; beyond it lines are lost rather than exchanges held up. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024
/** A write costs as much as several lines, so those that come together are written together. */
const GATHERED_BYTES = 16_000 // sonic-boom writes 16 KiB at most
const GATHERED_FOR_MS = 20

/**
 * Writes JSON lines to a file descriptor, without waiting for it and without failing with it.
 * Callers pass named fields only: never a request, a token or a header.
 */
export function createLog(level: string, fileDescriptor: 1 | 2 = 1): Log {
  const destination = pino.destination({
    fd: fileDescriptor,
    sync: false,
    minLength: GATHERED_BYTES,
    maxLength: MAX_WAITING_BYTES,
  })
  // A full disk or a closed pipe must not end the service.
  destination.on('error', () => {})
  let isAwaited = false
  const gathering = {
    write(line: string) {
      destination.write(line)
      if (isAwaited) return
      isAwaited = true
      setTimeout(() => {
        isAwaited = false
        destination.flush()
      }, GATHERED_FOR_MS).unref()
    },
  }
  const formatters = { level: (label: string) => ({ level: label }) }
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters }, gathering)
}
