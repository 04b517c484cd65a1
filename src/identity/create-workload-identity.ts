import type { Clock } from '../clock.ts'
import type { Database } from '../db/database.ts'
import { violatedConstraint } from '../db/database-fault.ts'
import { invalidArgument, RequestError } from '../errors.ts'
import type { Issuer, ProviderType, SignatureAlgorithm } from '../issuer/issuer.ts'
import type { insertIssuer, NewIssuer } from '../issuer/issuer-store.ts'
import type { insertPolicy } from '../policy/policy-store.ts'
import type { PreparedPolicy, PreparePolicy } from '../policy/prepare-policy.ts'
import { checkIdentityId, emailOf } from './identity-email.ts'
import { EMAIL_TAKEN, insertIdentity, type StoredIdentity } from './identity-store.ts'
import { parseWorkloadIdentity } from './parse-workload-identity.ts'
import type { WorkloadIdentitySpec } from './workload-identity.ts'

export type CreateWorkloadIdentityDeps = {
  readonly db: Database
  readonly clock: Clock
  readonly identityDomain: string
  readonly tokenLifetimeSeconds: number
  readonly knownRoles: readonly string[]
  readonly findIssuer: (issuerUrl: string) => Promise<Issuer | undefined>
  /** Says what is wrong with a URL that is to be registered, or undefined. */
  readonly checkIssuerUrl: (issuerUrl: string) => string | undefined
  readonly freeIssuerId: (issuerUrl: string) => Promise<string>
  readonly defaultAlgorithms: Readonly<Record<ProviderType, readonly SignatureAlgorithm[]>>
  /** The policy of these rules, compiled and tried; throws `invalid_argument` with the problems that it has. */
  readonly preparePolicy: PreparePolicy
  readonly insertIssuer: typeof insertIssuer
  readonly insertPolicy: typeof insertPolicy
}

export type CreatedIdentity = { readonly identity: StoredIdentity; readonly notices: readonly string[] }

/**
 * Creates an identity with its policy and, where its issuer is new, that issuer: all of it or nothing.
 * Throws `invalid_argument` naming the field at fault, `already_exists` where a living identity has the email.
 */
export async function createWorkloadIdentity(
  deps: CreateWorkloadIdentityDeps,
  id: string,
  body: unknown,
): Promise<CreatedIdentity> {
  const idProblem = checkIdentityId(id)
  if (idProblem !== undefined) throw invalidArgument(`workloadIdentityId ${idProblem}.`)
  const email = emailOf(id, deps.identityDomain)
  const parsed = parseWorkloadIdentity(body, { ...deps, email })
  if (!parsed.ok) throw invalidArgument(`${parsed.field} ${parsed.message}.`)

  const { spec, notices } = parsed
  const policy = await deps.preparePolicy(spec.workloadIdentityConfig.rules)
  try {
    return await save(deps, email, spec, policy, notices)
  } catch (error) {
    const constraint = violatedConstraint(error)
    if (constraint === EMAIL_TAKEN) {
      throw new RequestError('already_exists', `workloadIdentities/${email} exists already.`)
    }
    if (constraint === undefined) throw error
    // Another request registered the same new issuer a moment ago: now it is there.
    return save(deps, email, spec, policy, notices)
  }
}

async function save(
  deps: CreateWorkloadIdentityDeps,
  email: string,
  spec: WorkloadIdentitySpec,
  { digest, policy }: PreparedPolicy,
  notices: readonly string[],
): Promise<CreatedIdentity> {
  const now = new Date(deps.clock())
  const known = await deps.findIssuer(spec.workloadIdentityConfig.issuerUrl)
  const issuer = known ?? (await newIssuer(deps, spec))
  const identity = await deps.db.kysely.transaction().execute(async (trx) => {
    if (known === undefined) await deps.insertIssuer(trx, issuer, now)
    if (policy !== undefined) await deps.insertPolicy(trx, policy, now)
    return insertIdentity(trx, { email, spec, issuerId: issuer.id, policyDigest: digest }, now)
  })
  return { identity, notices: known === undefined ? [...notices, registeredNotice(issuer)] : notices }
}

async function newIssuer(deps: CreateWorkloadIdentityDeps, spec: WorkloadIdentitySpec): Promise<NewIssuer> {
  const { issuerUrl, providerType } = spec.workloadIdentityConfig
  const problem = deps.checkIssuerUrl(issuerUrl)
  if (problem !== undefined) throw invalidArgument(`workloadIdentityConfig.issuerUrl ${problem}.`)
  return {
    id: await deps.freeIssuerId(issuerUrl),
    issuerUrl,
    title: issuerUrl,
    providerType,
    state: 'ACTIVE',
    algorithms: deps.defaultAlgorithms[providerType],
    jwks: null,
  }
}

function registeredNotice(issuer: NewIssuer): string {
  return `The issuer ${issuer.issuerUrl} was not known yet and is now registered as issuers/${issuer.id}.`
}
