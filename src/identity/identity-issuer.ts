import type { Authority } from '../access/authority.ts'
import type { Database } from '../db/database.ts'
import { FieldError, invalidArgument, RequestError } from '../errors.ts'
import type { Authorship } from '../fields/authorship.ts'
import type { Issuer } from '../issuer/issuer.ts'
import type { NewIssuer } from '../issuer/issuer-store.ts'
import { PROVIDERS, type ProviderType, providerOfIssuer } from '../provider/providers.ts'
import type { WorkloadIdentityConfig } from './workload-identity.ts'

export type IssuerDeps = Pick<Authority, 'mayRegisterIssuers'> & {
  readonly findIssuer: (issuerUrl: string) => Promise<Issuer | undefined>
  /** Says what is wrong with a URL that is to be registered, or undefined. */
  readonly checkIssuerUrl: (issuerUrl: string) => string | undefined
  /** An id that no issuer has, and that is not reserved either. */
  readonly freeIssuerId: (issuerUrl: string, isReserved?: (id: string) => boolean) => Promise<string>
  readonly findSimilarIssuer: (issuerUrl: string) => Promise<Issuer | undefined>
  readonly registerIssuer: (
    trx: Database['kysely'],
    issuer: NewIssuer,
    authorship: Authorship,
    now: Date,
  ) => Promise<unknown>
}

/** An identity's issuer, which `register` adds where it is new, in the transaction that saves the identity. */
export type IdentityIssuer = {
  readonly id: string
  readonly notices: readonly string[]
  register(trx: Database['kysely'], authorship: Authorship, now: Date): Promise<void>
}

/** The issuer that an identity names; throws `invalid_argument` where it is not known and may not become so. */
export async function issuerFor(
  deps: IssuerDeps,
  { issuerUrl, providerType }: WorkloadIdentityConfig,
): Promise<IdentityIssuer> {
  const known = await deps.findIssuer(issuerUrl)
  if (known !== undefined) {
    if (known.providerType !== providerType) throw anotherProvider(known.providerType, `issuers/${known.id}`)
    return { id: known.id, notices: stateNotices(known), register: async () => undefined }
  }

  const owner = providerOfIssuer(issuerUrl) ?? providerType
  if (owner !== providerType) throw anotherProvider(owner, issuerUrl)
  const problem = deps.checkIssuerUrl(issuerUrl)
  if (problem !== undefined) throw new FieldError('workloadIdentityConfig.issuerUrl', problem)
  if (!deps.mayRegisterIssuers) {
    throw new RequestError(
      'permission_denied',
      'workloadIdentityConfig.issuerUrl is of no registered issuer, and to register it needs claimgate.issuers.create.',
    )
  }
  const issuer: NewIssuer = {
    id: await deps.freeIssuerId(issuerUrl),
    issuerUrl,
    title: issuerUrl,
    providerType,
    state: 'ACTIVE',
    algorithms: PROVIDERS[providerType].algorithms,
    jwks: null,
  }
  const similar = await deps.findSimilarIssuer(issuerUrl)
  return {
    id: issuer.id,
    notices: [
      `The issuer ${issuerUrl} was not known yet and is now registered as issuers/${issuer.id}.`,
      ...(similar === undefined ? [] : [similarityNotice(issuerUrl, similar)]),
    ],
    register: async (trx, authorship, now) => {
      await deps.registerIssuer(trx, issuer, authorship, now)
    },
  }
}

/** One provider's rules say nothing about another's tokens. */
function anotherProvider(providerType: ProviderType, of: string): Error {
  return invalidArgument(`workloadIdentityConfig.providerType must be ${providerType}, as that of ${of} is.`)
}

/** What keeps an issuer from letting anybody in, whatever the rules say. */
function stateNotices({ id, state }: Pick<Issuer, 'id' | 'state'>): readonly string[] {
  return state === 'ACTIVE' ? [] : [`issuers/${id} is ${state.toLowerCase()}, so no token of it is accepted.`]
}

function similarityNotice(issuerUrl: string, similar: Issuer): string {
  const differences = [
    ...(issuerUrl.endsWith('/') === similar.issuerUrl.endsWith('/') ? [] : ['a slash at the end']),
    ...(withoutSlash(issuerUrl) === withoutSlash(similar.issuerUrl) ? [] : ['upper and lower case']),
  ]
  return (
    `${issuerUrl} differs from issuers/${similar.id} (${similar.issuerUrl}) only by ${differences.join(' and ')}: ` +
    'tokens are compared to the letter.'
  )
}

function withoutSlash(url: string): string {
  return url.endsWith('/') ? url.slice(0, -1) : url
}
