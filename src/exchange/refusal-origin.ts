import ipaddr from 'ipaddr.js'
import type { AttemptOrigin } from '../decision/attempt-summaries.ts'
import type { Decision, DryRun } from '../decision/decision.ts'
import type { Disclosure } from './decide.ts'

/** With whose other refusals one is counted: those from its address, or of its project where the token verified. */
export type RefusalOrigin = AttemptOrigin & { readonly isVerified: boolean }

export function refusalOrigin(decision: Decision | DryRun, disclosure: Disclosure): RefusalOrigin {
  if (disclosure.scope === 'token') {
    return { isVerified: false, callerIp: callerNetwork(decision.callerIp), issuerUrl: null, claims: null }
  }
  const project = PROJECT_IDS.map((name) => [name, disclosure.claims[name]] as const).find(isShortText)
  // Tokens of one issuer that name no project are counted as if they were of one.
  const claims = project === undefined ? null : JSON.stringify({ [project[0]]: project[1] })
  return { isVerified: true, callerIp: null, issuerUrl: decision.issuerUrl, claims }
}

/** GitLab's name of it, and GitHub's. */
const PROJECT_IDS = ['project_id', 'repository_id']

function isShortText([, value]: readonly [string, unknown]): boolean {
  return typeof value === 'string' && value.length <= 255
}

/** An IPv4 address; the first half of an IPv6 one, which is what one caller commonly has all of. */
function callerNetwork(address: string): string {
  if (!ipaddr.isValid(address)) return address
  const parsed = ipaddr.process(address)
  return parsed.kind() === 'ipv4'
    ? parsed.toString()
    : `${ipaddr.IPv6.networkAddressFromCIDR(`${parsed.toString()}/64`).toString()}/64`
}
