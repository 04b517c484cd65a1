import type { Project } from '../access/project.ts'
import type { Clock } from '../clock.ts'
import type { Database } from '../db/database.ts'
import { violatedConstraint } from '../db/database-fault.ts'
import { invalidArgument, RequestError } from '../errors.ts'
import type { Authorship } from '../fields/authorship.ts'
import type { Finding } from '../finding/finding.ts'
import type { insertPolicy } from '../policy/policy-store.ts'
import type { PreparedPolicy, PreparePolicy } from '../policy/prepare-policy.ts'
import type { TestResult } from '../policy-test/policy-test.ts'
import type { TestedIdentity } from '../policy-test/run-policy-tests.ts'
import { type AcknowledgeDeps, acknowledgeFindings } from './acknowledge-findings.ts'
import { checkIdentityId, emailOf, parseEmail } from './identity-email.ts'
import { type IssuerDeps, issuerFor } from './identity-issuer.ts'
import { EMAIL_TAKEN, insertIdentity, type NewIdentity, type WholeIdentity } from './identity-store.ts'
import { parseWorkloadIdentity } from './parse-workload-identity.ts'
import type { WorkloadIdentitySpec } from './workload-identity.ts'

export type CreateWorkloadIdentityDeps = IssuerDeps &
  AcknowledgeDeps & {
    readonly db: Database
    readonly clock: Clock
    readonly identityDomain: string
    readonly tokenLifetimeSeconds: number
    readonly knownRoles: readonly string[]
    readonly findProject: (id: string) => Promise<Project | undefined>
    /** The policy of these rules and conditions, compiled and tried; throws `invalid_argument` with the problems. */
    readonly preparePolicy: PreparePolicy
    /** What the identity's tests come to on its policy, which need not be stored. */
    readonly runTests: (identity: TestedIdentity) => Promise<readonly TestResult[]>
    /** Throws `invalid_argument` with the tests that failed. */
    readonly refuseFailedTests: (results: readonly TestResult[]) => void
    readonly findFindings: (spec: WorkloadIdentitySpec, projectId: string | null) => readonly Finding[]
    readonly insertPolicy: typeof insertPolicy
  }

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
  if (projectId !== undefined) await checkProject(deps, projectId)
  const email = newEmail(deps, id, projectId)
  const parsed = parseWorkloadIdentity(body, { ...deps, email })
  if (!parsed.ok) throw invalidArgument(`${parsed.field} ${parsed.message}.`)

  const { spec, notices } = parsed
  const policy = await deps.preparePolicy(spec.workloadIdentityConfig)
  const place = { email, projectId: projectId ?? null }
  deps.refuseFailedTests(await deps.runTests({ ...place, spec, policy }))
  const findings = deps.findFindings(spec, place.projectId)
  const acknowledgements = acknowledgeFindings(deps, findings, [], authorship.acknowledge)
  const identity = { ...place, spec, acknowledgements, policyDigest: policy.digest }
  const saved = await insert(deps, identity, policy, authorship)
  return { identity: saved.identity, notices: [...notices, ...saved.notices], findings }
}

async function insert(
  deps: CreateWorkloadIdentityDeps,
  identity: Omit<NewIdentity, 'issuerId'>,
  policy: PreparedPolicy,
  authorship: Authorship,
): Promise<Omit<SavedIdentity, 'findings'>> {
  try {
    return await save(deps, identity, policy, authorship)
  } catch (error) {
    const constraint = violatedConstraint(error)
    if (constraint === EMAIL_TAKEN) {
      throw new RequestError('already_exists', `workloadIdentities/${identity.email} exists already.`)
    }
    if (constraint === undefined) throw error
    // Another request registered the same new issuer a moment ago: now it is there.
    return save(deps, identity, policy, authorship)
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
  authorship: Authorship,
): Promise<Omit<SavedIdentity, 'findings'>> {
  const now = new Date(deps.clock())
  const issuer = await issuerFor(deps, identity.spec.workloadIdentityConfig)
  const saved = await deps.db.kysely.transaction().execute(async (trx) => {
    await issuer.register(trx, now)
    if (policy !== undefined) await deps.insertPolicy(trx, policy, now)
    return insertIdentity(trx, { ...identity, issuerId: issuer.id }, authorship, now)
  })
  return { identity: saved, notices: issuer.notices }
}
