import { z } from 'zod'

export const DEFAULT_IMPACT_DAYS = 30
const MAX_DAYS = 366
/** More than measuring may take, so that what was found is answered. */
export const IMPACT_WITHIN_MS = 60_000

/** Of how many days the decisions are looked at. */
export const daysParameter = z
  .string()
  .regex(/^[1-9]\d{0,2}$/, `must be a whole number from 1 to ${MAX_DAYS}`)
  .transform(Number)
  .refine((days) => days <= MAX_DAYS, `must be a whole number from 1 to ${MAX_DAYS}`)
  .meta({
    description: `Of how many days: ${DEFAULT_IMPACT_DAYS} unless given, ${MAX_DAYS} at most.`,
    parameter: { type: 'integer', minimum: 1, maximum: MAX_DAYS, default: DEFAULT_IMPACT_DAYS },
  })
