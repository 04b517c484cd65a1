import { z } from 'zod'

/** A title as every resource's: one line that a job's script can echo. */
export const title = z
  .string()
  .max(200)
  .refine((text) => text.trim() !== '', 'must not be blank')
  .regex(
    /^[^\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069\\]*$/u,
    'must be one line without control characters and backslashes',
  )
  .refine((text) => text.isWellFormed(), 'has half a surrogate pair, which is no Unicode text')
