import { z } from 'zod'

export const DEFAULT_IMPACT_DAYS = 30
const MAX_DAYS = 366
/** More than measuring may take, so that what was found is answered. */
export const IMPACT_WITHIN_MS = 60_000

const RANGE = `must be a whole number from 1 to ${MAX_DAYS}`

/** Of how many days the decisions are looked at. */
export const daysParameter = z
  .string()
  .regex(/^[1-9]\d{0,2}$/, RANGE)
  .transform(Number)
  .refine((days) => days <= MAX_DAYS, RANGE)
  .meta({
    description: `Of how many days: ${DEFAULT_IMPACT_DAYS} unless given, ${MAX_DAYS} at most.`,
    parameter: { type: 'integer', minimum: 1, maximum: MAX_DAYS, default: DEFAULT_IMPACT_DAYS },
  })

const PLAN_RANGE = `must be a whole number from 0 to ${MAX_DAYS}`

/** The same of a plan, which may leave it out. */
export const planDaysParameter = z
  .string()
  .regex(/^(0|[1-9]\d{0,2})$/, PLAN_RANGE)
  .transform(Number)
  .refine((days) => days <= MAX_DAYS, PLAN_RANGE)
  .meta({
    description:
      `Of how many days the decisions are looked at: ${DEFAULT_IMPACT_DAYS} unless given, ${MAX_DAYS} at most, ` +
      '0 for none. It takes the permission claimgate.decisions.list; who has it not is told of none.',
    parameter: { type: 'integer', minimum: 0, maximum: MAX_DAYS, default: DEFAULT_IMPACT_DAYS },
  })
