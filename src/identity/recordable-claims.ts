import type { JsonObject } from '../json.ts'
import type { Provider } from '../provider/provider.ts'
import { PERSONAL_CLAIMS } from '../provider/providers.ts'

/** The claims that may be evaluated and stored: all but the personal ones that `recordedClaims` does not list. */
export function recordableClaims(claims: JsonObject, recordedClaims: readonly string[]): JsonObject {
  const dropped = PERSONAL_CLAIMS.filter((name) => !recordedClaims.includes(name))
  return Object.fromEntries(Object.entries(claims).filter(([name]) => !dropped.includes(name)))
}

/** Whether a provider is known to send a claim of this name, or its organisations make such claims up. */
export function isKnownClaim(name: string, { claims, claimPrefixes }: Provider): boolean {
  return claims.has(name) || claimPrefixes.some((prefix) => name.startsWith(prefix))
}

/** The names in a token that its provider's file does not know: worth a line in the log, there is something new. */
export function unknownClaims(claims: JsonObject, provider: Provider): readonly string[] {
  return Object.keys(claims).filter(
    (name) => !isKnownClaim(name, provider) && !PERSONAL_CLAIMS.includes(name),
  )
}
