import { z } from 'zod'

/** RFC 3339 section 5.6, whose letters may be small. */
const RFC_3339 =
  /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(\d+))?(?:Z|([+-])([01]\d|2[0-3]):([0-5]\d))$/i

/**
 * Reads a time to bound others by, in milliseconds since the epoch. A part of a millisecond counts as the next one:
 * decisions have whole ones, so that before and after stay what they are.
 */
export function readTime(text: string, context: z.RefinementCtx): number {
  const time = parseTime(text)
  if (time !== undefined) return time
  const message = 'must be a time as in 2026-11-25T08:00:00Z or 2026-11-25T09:00:00+01:00'
  // In a query a plus sign that is not written as %2B is a space.
  const hint = parseTime(text.replace(/ (?=\d{2}:\d{2}$)/, '+')) !== undefined && text.includes(' ')
  context.addIssue({ code: 'custom', message: hint ? `${message}, with %2B for the plus sign` : message })
  return z.NEVER
}

function parseTime(text: string): number | undefined {
  const match = RFC_3339.exec(text)
  if (match === null) return undefined
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1, 7).map(Number)
  const [, , , , , , , fraction = '', sign, offsetHours, offsetMinutes] = match
  const midnight = new Date(0)
  // Date.UTC takes a year below 100 for one of the last century.
  midnight.setUTCFullYear(year, month - 1, day)
  const isDay = year > 0 && month > 0 && midnight.getUTCMonth() === month - 1 && midnight.getUTCDate() === day
  if (!isDay || hour > 23 || minute > 59 || second > 60) return undefined
  const offset = (Number(offsetHours ?? 0) * 60 + Number(offsetMinutes ?? 0)) * (sign === '-' ? -1 : 1)
  const startOfMinute = midnight.getTime() + (hour * 60 + minute - offset) * 60_000
  // A leap second ends a day of UTC, and is the first second of the next where it is counted.
  if (second === 60 && startOfMinute % 86_400_000 !== 86_340_000) return undefined
  const isPast = /[1-9]/.test(fraction.slice(3))
  return startOfMinute + second * 1000 + Number(fraction.slice(0, 3).padEnd(3, '0')) + (isPast ? 1 : 0)
}
