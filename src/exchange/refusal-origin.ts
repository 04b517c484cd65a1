import ipaddr from 'ipaddr.js'
import type { AttemptOrigin } from '../decision/attempt-summaries.ts'
import type { Decision, DryRun } from '../decision/decision.ts'
import { PROVIDERS } from '../provider/providers.ts'
import type { Disclosure, OwnToken } from './decide.ts'

/** With whose other refusals one is counted: those from its address, or of its project where the token verified. */
export type RefusalOrigin = AttemptOrigin & { readonly isVerified: boolean }

export function refusalOrigin(decision: Decision | DryRun, disclosure: Disclosure): RefusalOrigin {
  if (disclosure.scope === 'token') {
    return { isVerified: false, callerIp: callerNetwork(decision.callerIp), issuerUrl: null, claims: null }
  }
  const claims = projectOf(disclosure.token)
  return { isVerified: true, callerIp: null, issuerUrl: decision.issuerUrl, claims }
}

/** The project's id as JSON text. Tokens of one issuer that name no project are counted as if they were of one. */
function projectOf({ provider, claims }: OwnToken): string | null {
  const name = PROVIDERS[provider].names.projectId
  const id = claims[name]
  return typeof id === 'string' && id.length <= 255 ? JSON.stringify({ [name]: id }) : null
}

/** An IPv4 address; the first half of an IPv6 one, which is what one caller commonly has all of. */
function callerNetwork(address: string): string {
  if (!ipaddr.isValid(address)) return address
  const parsed = ipaddr.process(address)
  return parsed.kind() === 'ipv4'
    ? parsed.toString()
    : `${ipaddr.IPv6.networkAddressFromCIDR(`${parsed.toString()}/64`).toString()}/64`
}
