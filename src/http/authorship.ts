import { z } from 'zod'
import type { Authorship } from '../fields/authorship.ts'
import type { RouteRequest } from './route.ts'

const MAX_REASON = 500

/** Why a change is made: kept with it, and with the version that it makes. */
export const reasonParameter = z
  .string()
  .max(MAX_REASON, `must have at most ${MAX_REASON} characters`)
  .meta({ description: `Why, for those who read of it later: at most ${MAX_REASON} characters.` })

/** A save by whoever asks for it. */
export function authorshipOf(
  { caller, requestId, callerIp }: Pick<RouteRequest, 'caller' | 'requestId' | 'callerIp'>,
  {
    reason,
    acknowledge,
  }: { readonly reason?: string | undefined; readonly acknowledge?: string | undefined },
): Authorship {
  return { author: caller.name, reason, acknowledge, requestId, callerIp }
}
