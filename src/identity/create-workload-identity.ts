import type { Project } from '../access/project.ts'
import type { Clock } from '../clock.ts'
import type { Database } from '../db/database.ts'
import { violatedConstraint } from '../db/database-fault.ts'
import { invalidArgument, RequestError } from '../errors.ts'
import type { Authorship } from '../fields/authorship.ts'
import type { insertPolicy } from '../policy/policy-store.ts'
import type { PreparedPolicy, PreparePolicy } from '../policy/prepare-policy.ts'
import { checkIdentityId, emailOf, parseEmail } from './identity-email.ts'
import { type IssuerDeps, issuerFor } from './identity-issuer.ts'
import { EMAIL_TAKEN, insertIdentity, type NewIdentity, type StoredIdentity } from './identity-store.ts'
import { parseWorkloadIdentity } from './parse-workload-identity.ts'

export type CreateWorkloadIdentityDeps = IssuerDeps & {
  readonly db: Database
  readonly clock: Clock
  readonly identityDomain: string
  readonly tokenLifetimeSeconds: number
  readonly knownRoles: readonly string[]
  readonly findProject: (id: string) => Promise<Project | undefined>
  /** The policy of these rules, compiled and tried; throws `invalid_argument` with the problems that it has. */
  readonly preparePolicy: PreparePolicy
  readonly insertPolicy: typeof insertPolicy
}

/** What a create or a change made of an identity, and what it did beside. */
export type SavedIdentity = { readonly identity: StoredIdentity; readonly notices: readonly string[] }

/**
 * Creates an identity with its policy and, where its issuer is new, that issuer: all of it or nothing. `projectId`
 * undefined: an identity of the workspace. Throws `invalid_argument` naming the field at fault, `already_exists` where
 * a living identity has the email, `not_found` or `failed_precondition` where the project is not there or deleted.
 */
export async function createWorkloadIdentity(
  deps: CreateWorkloadIdentityDeps,
  id: string,
  body: unknown,
  projectId: string | undefined,
  authorship: Authorship,
): Promise<SavedIdentity> {
  if (projectId !== undefined) await checkProject(deps, projectId)
  const email = newEmail(deps, id, projectId)
  const parsed = parseWorkloadIdentity(body, { ...deps, email })
  if (!parsed.ok) throw invalidArgument(`${parsed.field} ${parsed.message}.`)

  const { spec, notices } = parsed
  const policy = await deps.preparePolicy(spec.workloadIdentityConfig.rules)
  const identity = { email, projectId: projectId ?? null, spec, policyDigest: policy.digest }
  try {
    return await save(deps, identity, policy, notices, authorship)
  } catch (error) {
    const constraint = violatedConstraint(error)
    if (constraint === EMAIL_TAKEN) {
      throw new RequestError('already_exists', `workloadIdentities/${email} exists already.`)
    }
    if (constraint === undefined) throw error
    // Another request registered the same new issuer a moment ago: now it is there.
    return save(deps, identity, policy, notices, authorship)
  }
}

async function checkProject(deps: CreateWorkloadIdentityDeps, projectId: string): Promise<void> {
  const project = await deps.findProject(projectId)
  if (project === undefined) throw new RequestError('not_found', 'There is no such project.')
  if (project.state === 'DELETED') {
    throw new RequestError('failed_precondition', `projects/${project.id} is deleted: undelete it first.`)
  }
}

function newEmail(deps: CreateWorkloadIdentityDeps, id: string, projectId: string | undefined): string {
  const problem = checkIdentityId(id)
  if (problem !== undefined) throw invalidArgument(`workloadIdentityId ${problem}.`)
  const email = emailOf(id, deps.identityDomain, projectId)
  if (parseEmail(email) !== undefined) return email
  throw invalidArgument('workloadIdentityId makes an email of more than 255 characters: it must be shorter.')
}

async function save(
  deps: CreateWorkloadIdentityDeps,
  identity: Omit<NewIdentity, 'issuerId'>,
  { policy }: PreparedPolicy,
  notices: readonly string[],
  authorship: Authorship,
): Promise<SavedIdentity> {
  const now = new Date(deps.clock())
  const issuer = await issuerFor(deps, identity.spec.workloadIdentityConfig)
  const saved = await deps.db.kysely.transaction().execute(async (trx) => {
    await issuer.register(trx, now)
    if (policy !== undefined) await deps.insertPolicy(trx, policy, now)
    return insertIdentity(trx, { ...identity, issuerId: issuer.id }, authorship, now)
  })
  return { identity: saved, notices: [...notices, ...issuer.notices] }
}
