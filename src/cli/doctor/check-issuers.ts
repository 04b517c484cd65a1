import type { Database } from '../../db/database.ts'
import { FetchError } from '../../issuer/fetch-error.ts'
import { fetchKeys } from '../../issuer/fetch-keys.ts'
import type { FetchJson } from '../../issuer/guarded-fetch.ts'
import type { Issuer } from '../../issuer/issuer.ts'
import { createIssuerStore } from '../../issuer/issuer-store.ts'
import { checkFetchUrl } from '../../issuer/issuer-url.ts'
import { type Jwks, readJwks } from '../../issuer/jwks.ts'
import { type Finding, runCheck, type Seen } from './finding.ts'

const ISSUERS_AT_ONCE = 8
const ISSUERS_PER_PAGE = 100

type IssuerDeps = { readonly fetchJson: FetchJson; readonly privateIssuers: readonly string[] }

/** Whether each active issuer's keys can be had, a finding for each. */
export async function checkIssuers(db: Database, deps: IssuerDeps): Promise<readonly Finding[]> {
  const issuers = await activeIssuers(db)
  const findings: Finding[] = []
  for (let at = 0; at < issuers.length; at += ISSUERS_AT_ONCE) {
    const some = issuers.slice(at, at + ISSUERS_AT_ONCE)
    const looked = some.map((issuer) =>
      runCheck({ name: `issuer ${issuer.id}`, look: () => checkIssuer(issuer, deps) }),
    )
    findings.push(...(await Promise.all(looked)))
  }
  return findings.length > 0
    ? findings
    : [{ check: 'issuers', status: 'ok', message: 'None is active, so no token is exchanged.' }]
}

async function activeIssuers(db: Database): Promise<readonly Issuer[]> {
  const store = createIssuerStore(db)
  const all: Issuer[] = []
  for (let after: string | undefined; ; after = all.at(-1)?.id) {
    const page = await store.list({ after, showDeleted: false, limit: ISSUERS_PER_PAGE })
    all.push(...page)
    if (page.length < ISSUERS_PER_PAGE) return all.filter(({ state }) => state === 'ACTIVE')
  }
}

async function checkIssuer(issuer: Issuer, { fetchJson, privateIssuers }: IssuerDeps): Promise<Seen> {
  if (issuer.jwks !== null) {
    const read = readJwks(issuer.jwks)
    return read.ok && suits(read.keys, issuer)
      ? ['ok', 'Its static keys can be used.']
      : [
          'problem',
          `None of its static keys can be used for ${issuer.algorithms.join(', ')}: change its jwks.`,
        ]
  }
  const unlisted = privateIssuers.includes(issuer.issuerUrl) ? undefined : whyPrivate(issuer.issuerUrl)
  if (unlisted !== undefined) return ['problem', unlisted]
  try {
    const { keys } = await fetchKeys(fetchJson, issuer.issuerUrl)
    return suits(keys, issuer)
      ? ['ok', `${issuer.issuerUrl} gives its keys.`]
      : ['problem', `It publishes no key for ${issuer.algorithms.join(', ')}: change its algorithms.`]
  } catch (error) {
    if (!(error instanceof FetchError)) throw error
    if (error.code === 'address') return ['problem', listIt(issuer.issuerUrl, 'has a private address')]
    const mend = 'is it up, and reachable from here? Jobs get 503 without its keys.'
    return [
      'problem',
      `The keys of ${issuer.issuerUrl} cannot be fetched. ${error.publicMessage} Mend that: ${mend}`,
    ]
  }
}

/** What only an issuer that PRIVATE_ISSUERS lists may be; a URL that nobody may have is told of by the fetch. */
function whyPrivate(url: string): string | undefined {
  if (checkFetchUrl(url, false) === undefined || checkFetchUrl(url, true) !== undefined) return undefined
  return listIt(url, url.startsWith('http:') ? 'is http' : 'is an IP address')
}

function listIt(url: string, what: string): string {
  return `${url} ${what}: list it in PRIVATE_ISSUERS.`
}

function suits(keys: Jwks, { algorithms }: Issuer): boolean {
  return [...keys.values()].some((key) => key.usable && algorithms.some((name) => key.byAlgorithm.has(name)))
}
