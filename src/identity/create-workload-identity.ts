import type { Authority } from '../access/authority.ts'
import type { Membership } from '../access/iam-policy.ts'
import type { Project } from '../access/project.ts'
import type { RecordChange } from '../change/change.ts'
import type { Clock } from '../clock.ts'
import type { Database } from '../db/database.ts'
import { violatedConstraint } from '../db/database-fault.ts'
import { FieldError, invalidArgument, RequestError } from '../errors.ts'
import type { Authorship } from '../fields/authorship.ts'
import type { Finding } from '../finding/finding.ts'
import type { insertPolicy } from '../policy/policy-store.ts'
import type { PreparedPolicy, PreparePolicy } from '../policy/prepare-policy.ts'
import type { TestResult } from '../policy-test/policy-test.ts'
import type { TestedIdentity } from '../policy-test/run-policy-tests.ts'
import { type AcknowledgeDeps, acknowledgeFindings } from './acknowledge-findings.ts'
import { checkIdentityId, emailOf, parseEmail } from './identity-email.ts'
import { type IdentityIssuer, type IssuerDeps, issuerFor } from './identity-issuer.ts'
import { EMAIL_TAKEN, insertIdentity, type NewIdentity, type WholeIdentity } from './identity-store.ts'
import { parseWorkloadIdentity } from './parse-workload-identity.ts'
import { giftsOf, type WorkloadIdentitySpec } from './workload-identity.ts'

export type CreateWorkloadIdentityDeps = IssuerDeps &
  Authority &
  AcknowledgeDeps & {
    readonly db: Database
    readonly clock: Clock
    readonly identityDomain: string
    readonly tokenLifetimeSeconds: number
    /** Says what is wrong with a role that a rule names, or undefined. */
    readonly findRoleProblem: (role: string) => string | undefined
    readonly findProject: (id: string) => Promise<Project | undefined>
    /** The policy of these rules and conditions, compiled and tried; throws `invalid_argument` with the problems. */
    readonly preparePolicy: PreparePolicy
    /** What the identity's tests come to on its policy, which need not be stored. */
    readonly runTests: (identity: TestedIdentity) => Promise<readonly TestResult[]>
    /** Throws `invalid_argument` with the tests that failed. */
    readonly refuseFailedTests: (results: readonly TestResult[]) => void
    readonly findFindings: FindFindings
    readonly insertPolicy: typeof insertPolicy
    readonly recordIdentity: RecordChange<WholeIdentity>
  }

/** What an identity lets in: where it belongs and is a member says what its jobs are given. */
export type FindFindings = (
  spec: WorkloadIdentitySpec,
  place: { readonly projectId: string | null; readonly memberships: readonly Membership[] },
) => readonly Finding[]

/** What a create or a change made of an identity, what it did beside, and what the identity now lets in. */
export type SavedIdentity = {
  readonly identity: WholeIdentity
  readonly notices: readonly string[]
  readonly findings: readonly Finding[]
}

/**
 * Creates an identity with its policy and, where its issuer is new, that issuer: all of it or nothing. `projectId`
 * undefined: an identity of the workspace; `acknowledge`: why its findings may be. Throws `invalid_argument` naming
 * the field at fault or with the tests that fail, `already_exists` where a living identity has the email, `not_found` or
 * `failed_precondition` where the project is not there or deleted, the latter also with findings that refuse it.
 */
export async function createWorkloadIdentity(
  deps: CreateWorkloadIdentityDeps,
  id: string,
  body: unknown,
  projectId: string | undefined,
  authorship: Authorship,
): Promise<SavedIdentity> {
  const prepared = await prepareCreate(deps, id, body, projectId, authorship.acknowledge)
  try {
    return await save(deps, prepared, authorship)
  } catch (error) {
    const constraint = violatedConstraint(error)
    if (constraint === EMAIL_TAKEN) {
      throw new RequestError(
        'already_exists',
        `workloadIdentities/${prepared.identity.email} exists already.`,
      )
    }
    if (constraint === undefined) throw error
    // Another request registered the same new issuer a moment ago: now it is there.
    return save(deps, prepared, authorship)
  }
}

/** An identity that is about to be created, and its policy; nothing of it is saved. */
export type PreparedCreate = {
  readonly identity: Omit<NewIdentity, 'issuerId'>
  readonly policy: PreparedPolicy
  readonly notices: readonly string[]
  readonly findings: readonly Finding[]
}

/** All of a create that takes long or may be refused. Throws as the create does. */
export async function prepareCreate(
  deps: CreateWorkloadIdentityDeps,
  id: string,
  body: unknown,
  projectId: string | undefined,
  acknowledge: string | undefined,
): Promise<PreparedCreate> {
  if (projectId !== undefined) await checkProject(deps, projectId)
  const email = newEmail(deps, id, projectId)
  const parsed = parseWorkloadIdentity(body, { ...deps, email })
  if (!parsed.ok) throw new FieldError(parsed.field, parsed.message)

  const { spec, notices } = parsed
  deps.checkMayGive(giftsOf(spec, projectId ?? null))
  const policy = await deps.preparePolicy(spec.workloadIdentityConfig)
  const place = { email, projectId: projectId ?? null }
  deps.refuseFailedTests(await deps.runTests({ ...place, spec, policy }))
  const findings = deps.findFindings(spec, { projectId: place.projectId, memberships: [] })
  const acknowledgements = acknowledgeFindings(deps, findings, [], acknowledge)
  const identity = { ...place, spec, acknowledgements, policyDigest: policy.digest }
  return { identity, policy, notices, findings }
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
  prepared: PreparedCreate,
  authorship: Authorship,
): Promise<SavedIdentity> {
  const issuer = await issuerFor(deps, prepared.identity.spec.workloadIdentityConfig)
  return deps.db.kysely
    .transaction()
    .execute((trx) => saveCreate(deps, trx, prepared, issuer, authorship, new Date(deps.clock())))
}

/** Saves what was prepared. Throws the database's unique violation where a living identity has the email by now. */
export async function saveCreate(
  deps: Pick<CreateWorkloadIdentityDeps, 'insertPolicy' | 'holdRoles' | 'recordIdentity'>,
  trx: Database['kysely'],
  { identity, policy: { policy }, notices, findings }: PreparedCreate,
  issuer: IdentityIssuer,
  authorship: Authorship,
  now: Date,
): Promise<SavedIdentity> {
  await deps.holdRoles(trx, giftsOf(identity.spec, identity.projectId))
  await issuer.register(trx, authorship, now)
  if (policy !== undefined) await deps.insertPolicy(trx, policy, now)
  const saved = await insertIdentity(trx, { ...identity, issuerId: issuer.id }, authorship, now)
  await deps.recordIdentity(trx, { verb: 'CREATE', after: saved }, authorship, now)
  return { identity: saved, notices: [...notices, ...issuer.notices], findings }
}
