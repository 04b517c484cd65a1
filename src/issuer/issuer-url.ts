import { isIPv4 } from 'node:net'

export type IssuerUrlRules = { readonly privateIssuers: readonly string[]; readonly ownIssuerUrl: string }

const MAX_LENGTH = 255
const MAX_FETCH_LENGTH = 512 // an issuer of the greatest length and the path of its discovery document
const MAX_ID_LENGTH = 63
/** What an https URL without userinfo, query and fragment is made of (RFC 3986), square brackets for IPv6 included. */
const PLAIN_URL = /^(https?):\/\/([A-Za-z0-9._~:[\]-]+)(\/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?$/

const ONLY_PRIVATE = ' (a GitLab or GitHub inside your network may, where PRIVATE_ISSUERS lists it)'

/** Says in words what keeps a URL from being registered as an issuer's; private issuers may be unsafe, not malformed. */
export function checkIssuerUrl(url: string, rules: IssuerUrlRules): string | undefined {
  if (url.length > MAX_LENGTH) return `is longer than ${MAX_LENGTH} characters`
  const problem = checkFetchUrl(url, rules.privateIssuers.includes(url))
  if (problem !== undefined) return problem
  return isSameIssuer(url, rules.ownIssuerUrl)
    ? 'is our own address (PUBLIC_URL): our tokens are no job tokens'
    : undefined
}

/** The same for any URL that keys are fetched from; `isPrivate` lets it be plain http and an address. */
export function checkFetchUrl(url: string, isPrivate: boolean): string | undefined {
  if (url.length > MAX_FETCH_LENGTH) return `is longer than ${MAX_FETCH_LENGTH} characters`
  const parsed = URL.parse(url)
  if (parsed === null || /[\p{Cc}\s\\]/u.test(url)) return 'is not a URL'
  if (parsed.protocol !== 'https:' && !(isPrivate && parsed.protocol === 'http:'))
    return `does not begin with https://${ONLY_PRIVATE}`
  if (url.includes('?') || url.includes('#')) return 'has a query or a fragment'
  if (parsed.username !== '' || parsed.password !== '') return 'has a user name or password'
  const isAddress = isIPv4(parsed.hostname.replace(/\.$/, '')) || parsed.hostname.startsWith('[')
  if (isAddress && !isPrivate) return `has an IP address where a host name belongs${ONLY_PRIVATE}`
  return isWrittenPlainly(url, parsed, isAddress)
    ? undefined
    : 'is not written plainly: the way it is resolved differs from its text'
}

/** Whether the URL parser changes nothing that matters: host, port and path stay as they are written. */
function isWrittenPlainly(url: string, parsed: URL, isAddress: boolean): boolean {
  const [, , authority, path = ''] = PLAIN_URL.exec(url) ?? []
  if (authority === undefined || parsed.hostname.endsWith('.')) return false
  if (path !== '' && parsed.pathname !== path) return false
  if (isAddress) return true // a listed private issuer may write its address as it likes
  const port = /^[^:]+:([1-9][0-9]*)$/.exec(authority)?.[1]
  return authority.toLowerCase() === (port === undefined ? parsed.hostname : `${parsed.hostname}:${port}`)
}

/** Whether two URLs lead to the same place: host without case, default port and trailing slashes left out. */
function isSameIssuer(url: string, other: string): boolean {
  return placeOf(url) === placeOf(other)
}

function placeOf(url: string): string {
  const parsed = URL.parse(url)
  return parsed === null ? url : `${parsed.host}${parsed.pathname.replace(/\/+$/, '')}`
}

/**
 * Makes an issuer's id of its URL: host (with its port) and path in lower case, each other character a `-`, `i-` before it unless
 * it begins with a letter, `-2` … after it where `isTaken` says so. It matches `^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`.
 */
export async function issuerIdFromUrl(
  url: string,
  isTaken: (id: string) => Promise<boolean>,
): Promise<string> {
  const { host, pathname } = new URL(url)
  const text = `${host}${pathname}`.toLowerCase().replace(/[^a-z0-9]/g, '-')
  const base = /^[a-z]/.test(text) ? text : `i-${text}`
  for (let number = 1; ; number++) {
    const id = withSuffix(base, number === 1 ? '' : `-${number}`)
    if (!(await isTaken(id))) return id
  }
}

function withSuffix(base: string, suffix: string): string {
  return base.slice(0, MAX_ID_LENGTH - suffix.length).replace(/-+$/, '') + suffix
}
