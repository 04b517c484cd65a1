import type { TokenCount } from '../decision/count-tokens.ts'
import { closedBy } from '../identity/closed-by.ts'
import type { SavedIdentity } from '../identity/create-workload-identity.ts'
import type { StoredIdentity } from '../identity/identity-store.ts'
import type { SavedIssuer } from '../issuer/create-issuer.ts'
import type { Parts } from './parts.ts'

/** Adds to the answer to a change of an identity how many access tokens it ended, where it did. */
export async function tellEndedTokens(
  { tokenCounter, log }: Parts,
  before: StoredIdentity | undefined,
  saved: SavedIdentity,
): Promise<SavedIdentity> {
  const closed = before && closedBy(before, saved.identity)
  if (!closed?.isDisabled && !closed?.rules.length) return saved
  // The change is made: that its tokens could not be counted must not read as if it were not.
  const count = await tokenCounter.ofIdentity(saved.identity).catch(uncounted(log))
  if (count === undefined) return saved
  const ofRules = count.rules.filter(({ rule }) => closed.rules.includes(rule))
  const notices = [
    ...(closed.isDisabled && count.unexpiredTokens > 0
      ? [`state: ${ends(count)}, ${untilEnabled(count)}; to end what is out for good, call :revokeTokens`]
      : []),
    ...ofRules.map(
      ({ rule, unexpiredTokens }) =>
        `workloadIdentityConfig.rules: ${ends({ ...count, unexpiredTokens })} that met the rule ${rule}, but for those ` +
        'that met another one which is still enabled',
    ),
  ]
  return { ...saved, notices: [...saved.notices, ...notices] }
}

/** The same of an issuer that was disabled. */
export async function tellEndedTokensOfIssuer(
  { tokenCounter, log }: Parts,
  saved: SavedIssuer,
  asked: { readonly state?: string | undefined },
): Promise<SavedIssuer> {
  const { issuer } = saved
  if (asked.state !== 'DISABLED' || issuer.state !== 'DISABLED') return saved
  const count = await tokenCounter.ofIssuer(issuer.issuerUrl).catch(uncounted(log))
  if (count === undefined || count.unexpiredTokens === 0) return saved
  return { ...saved, notices: [...saved.notices, `state: ${ends(count)}, ${untilEnabled(count)}`] }
}

function ends({ unexpiredTokens, isComplete }: TokenCount): string {
  const some = `${unexpiredTokens} access token${unexpiredTokens === 1 ? '' : 's'}`
  return `ends ${isComplete ? '' : 'at least '}${some}`
}

function untilEnabled({ unexpiredTokens }: TokenCount): string {
  return unexpiredTokens === 1
    ? 'which counts again if it is enabled before it expires'
    : 'which count again if it is enabled before they expire'
}

/** Goes on without a count, and says so in the log. */
export function uncounted(log: Parts['log']): (error: unknown) => undefined {
  return (error) => {
    log.warn(
      { cause: String((error as Error).message) },
      'access tokens that a change ended were not counted',
    )
    return undefined
  }
}
