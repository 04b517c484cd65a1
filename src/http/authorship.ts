import { z } from 'zod'
import type { Caller } from '../access/caller.ts'
import type { Authorship } from '../fields/authorship.ts'

const MAX_REASON = 500

/** Why a change is made: kept with the version that it makes. */
export const reasonParameter = z
  .string()
  .max(MAX_REASON, `must have at most ${MAX_REASON} characters`)
  .meta({ description: `Why, for those who read its versions later: at most ${MAX_REASON} characters.` })

/** A save by whoever asks for it. */
export function authorshipOf(
  caller: Caller,
  { reason, acknowledge }: { readonly reason: string | undefined; readonly acknowledge?: string | undefined },
): Authorship {
  return { author: caller.name, reason, acknowledge }
}
