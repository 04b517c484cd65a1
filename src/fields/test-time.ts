import { z } from 'zod'

/** The moment at which a stored test is decided, as its author gives it. */
export const testTime = z.iso
  .datetime({ offset: true, message: 'must be a time as in 2026-11-25T08:00:00Z' })
  .describe(
    'The moment at which it is decided; where absent the iat of its claims, or else the moment of the run.',
  )
  .meta({ examples: ['2026-11-25T08:00:00Z'] })

/** That moment in milliseconds: what looks at the time comes to the same at every run only where it is given. */
export function timeOfTest(
  { time, claims: { iat } }: { readonly time?: string; readonly claims: Readonly<Record<string, unknown>> },
  now: number,
): number {
  if (time !== undefined) return Date.parse(time)
  return typeof iat === 'number' && Number.isFinite(iat) ? iat * 1000 : now
}
