const MINUTE = 60
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const CENTURY = 36_525 * DAY

/** A span of time as people say it, rounded down to one unit: "4 minutes" for 299 seconds. */
export function describeAge(seconds: number): string {
  if (seconds >= CENTURY) return 'more than 100 years'
  if (seconds >= 2 * DAY) return count(seconds / DAY, 'day')
  if (seconds >= HOUR) return count(seconds / HOUR, 'hour')
  if (seconds >= MINUTE) return count(seconds / MINUTE, 'minute')
  return count(seconds, 'second')
}

/** A span of whole seconds in the largest unit that states it exactly: "90 minutes" for 5,400 seconds. */
export function describeDuration(seconds: number): string {
  if (seconds % HOUR === 0) return count(seconds / HOUR, 'hour')
  if (seconds % MINUTE === 0) return count(seconds / MINUTE, 'minute')
  return count(seconds, 'second')
}

function count(amount: number, unit: string): string {
  const whole = Math.floor(amount)
  return `${whole} ${unit}${whole === 1 ? '' : 's'}`
}
