import { isDeepStrictEqual } from 'node:util'
import { checkRevision, type IfMatch } from '../db/check-revision.ts'
import type { Database } from '../db/database.ts'
import { violatedConstraint } from '../db/database-fault.ts'
import { FieldError, RequestError } from '../errors.ts'
import type { Authorship } from '../fields/authorship.ts'
import type { Finding } from '../finding/finding.ts'
import type { PreparedPolicy } from '../policy/prepare-policy.ts'
import { type Acknowledgement, acknowledgeFindings, findBlocking } from './acknowledge-findings.ts'
import type { CreateWorkloadIdentityDeps, SavedIdentity } from './create-workload-identity.ts'
import { type IdentityIssuer, issuerFor } from './identity-issuer.ts'
import { type IdentityPatch, patchedBody } from './identity-patch.ts'
import {
  allGiftsOf,
  type ChangeableIdentity,
  lockIdentity,
  standingOf,
  writeIdentity,
} from './identity-store.ts'
import { type ParsedWorkloadIdentity, parseWorkloadIdentity } from './parse-workload-identity.ts'
import { giftsOf, rolesOf, type WorkloadIdentitySpec } from './workload-identity.ts'

export type UpdateWorkloadIdentityDeps = CreateWorkloadIdentityDeps & {
  readonly findIdentity: (email: string) => Promise<ChangeableIdentity | undefined>
}

/** What an identity would be after a change. */
export type PlannedUpdate = {
  readonly spec: WorkloadIdentitySpec
  readonly state: 'ACTIVE' | 'DISABLED'
  readonly notices: readonly string[]
}

/** A change that is asked for, the etags it is for, and why the findings of what it makes may be. */
export type IdentityChange = {
  readonly patch: IdentityPatch
  readonly ifMatch: IfMatch
  readonly authorship: Authorship
  /** What else is changed with it, in its transaction. */
  readonly andThen?: ((trx: Database['kysely'], now: Date) => Promise<void>) | undefined
}

/** What takes long or asks others, and is therefore made before the row is locked, for what was planned then. */
export type PreparedUpdate = {
  readonly spec: WorkloadIdentitySpec
  readonly policy: PreparedPolicy | undefined
  readonly issuer: IdentityIssuer
}

/** How often a change is planned anew because somebody else's came between; a busier identity is a fault. */
const MAX_ATTEMPTS = 5

/**
 * Changes an identity with its policy and, where its issuer is new, that issuer: all of it or nothing. Changes without
 * an etag are made one after the other, each on what the one before left. Throws `not_found`, `failed_precondition`
 * for a deleted one or with findings that refuse it, `aborted` where its etag is another, `invalid_argument` naming
 * the field at fault or with the tests that fail.
 */
export async function updateWorkloadIdentity(
  deps: UpdateWorkloadIdentityDeps,
  email: string,
  { patch, ifMatch, authorship, andThen }: IdentityChange,
): Promise<SavedIdentity> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const identity = await deps.findIdentity(email)
    if (identity === undefined) throw new RequestError('not_found', 'There is no such workload identity.')
    const plan = planUpdate(deps, identity, patch, ifMatch)
    const planFor = (current: ChangeableIdentity) =>
      current.revision === identity.revision ? plan : planUpdate(deps, current, patch, ifMatch)
    const prepared = await prepareUpdate(deps, identity, plan)
    const made = { prepared, planFor, authorship, andThen }
    const saved = await save(deps, identity, made).catch((error: unknown) => {
      // Another request registered the same new issuer a moment ago: now it is there.
      if (violatedConstraint(error) === undefined) throw error
      return undefined
    })
    if (saved !== undefined) return saved
  }
  throw new RequestError(
    'aborted',
    'Others are changing this identity at the same time: make the change again.',
  )
}

/** What a change would make of an identity. Throws as the change does. */
export function planUpdate(
  deps: UpdateWorkloadIdentityDeps,
  identity: ChangeableIdentity,
  patch: IdentityPatch,
  ifMatch: IfMatch,
): PlannedUpdate {
  if (identity.state === 'DELETED') {
    throw new RequestError(
      'failed_precondition',
      `workloadIdentities/${identity.email} is deleted: undelete it first.`,
    )
  }
  checkRevision(identity.revision, ifMatch, patch.etag)
  const parsed = readChange(deps, identity, patch)
  if (!parsed.ok) throw new FieldError(parsed.field, parsed.message)
  // Of both: who may not give a role may not choose either to whom it is given.
  deps.checkMayGive([...allGiftsOf(identity), ...giftsOf(parsed.spec, identity.project?.id ?? null)])
  return {
    spec: parsed.spec,
    state: patch.state ?? identity.state,
    notices: patch.changesJudgement ? [...parsed.notices, ...audienceNotices(identity, parsed.spec)] : [],
  }
}

/** What the identity would be, read as a create's body. */
export function readChange(
  deps: CreateWorkloadIdentityDeps,
  identity: ChangeableIdentity,
  patch: IdentityPatch,
): ParsedWorkloadIdentity {
  // What the change leaves alone is not judged anew: a role may be gone since.
  const kept = patch.changesRules ? [] : rolesOf(identity)
  return parseWorkloadIdentity(patchedBody(identity, patch), {
    ...deps,
    email: identity.email,
    former: { rules: identity.workloadIdentityConfig.rules, lastRuleNumber: identity.lastRuleNumber },
    findRoleProblem: (role) => (kept.includes(role) ? undefined : deps.findRoleProblem(role)),
  })
}

function audienceNotices(before: WorkloadIdentitySpec, after: WorkloadIdentitySpec): readonly string[] {
  const { issuerUrl, allowedAudiences } = after.workloadIdentityConfig
  const wasItsUrl = before.workloadIdentityConfig.allowedAudiences.includes(
    before.workloadIdentityConfig.issuerUrl,
  )
  if (issuerUrl === before.workloadIdentityConfig.issuerUrl || !wasItsUrl) return []
  if (allowedAudiences.includes(issuerUrl)) return []
  return [
    `workloadIdentityConfig.allowedAudiences: stays as it was and does not list the new issuer's URL ${issuerUrl}`,
  ]
}

/** Makes of a planned change what takes long or asks others. Throws as the change does. */
export async function prepareUpdate(
  deps: UpdateWorkloadIdentityDeps,
  identity: ChangeableIdentity,
  { spec, ...plan }: PlannedUpdate,
): Promise<PreparedUpdate> {
  const { workloadIdentityConfig: config } = spec
  const policy = hasSamePolicy(spec, identity) ? undefined : await deps.preparePolicy(config)
  if (!onlyDisables(identity, { spec, ...plan })) {
    const tested = { spec, policy: policy ?? { digest: identity.policyDigest } }
    const projectId = identity.project?.id ?? null
    deps.refuseFailedTests(await deps.runTests({ email: identity.email, projectId, ...tested }))
  }
  return { spec, policy, issuer: await issuerFor(deps, config) }
}

function save(
  deps: UpdateWorkloadIdentityDeps,
  { id }: ChangeableIdentity,
  {
    prepared,
    planFor,
    authorship,
    andThen,
  }: Pick<IdentityChange, 'authorship' | 'andThen'> & {
    readonly prepared: PreparedUpdate
    readonly planFor: (current: ChangeableIdentity) => PlannedUpdate
  },
): Promise<SavedIdentity | undefined> {
  return deps.db.kysely.transaction().execute(async (trx) => {
    const current = await lockIdentity(trx, id)
    const now = new Date(deps.clock())
    const saved = await saveUpdate(deps, trx, current, prepared, planFor(current), authorship, now)
    if (saved !== undefined) await andThen?.(trx, now)
    return saved
  })
}

/**
 * Saves a planned change of an identity, which is locked. Undefined where the identity is another by now, for which
 * something else has to be prepared.
 */
export async function saveUpdate(
  deps: UpdateWorkloadIdentityDeps,
  trx: Database['kysely'],
  current: ChangeableIdentity,
  prepared: PreparedUpdate,
  plan: PlannedUpdate,
  authorship: Authorship,
  now: Date,
): Promise<SavedIdentity | undefined> {
  const { spec, state, notices } = plan
  const policyStays = hasSamePolicy(spec, current)
  const policy = policyStays ? undefined : prepared.policy
  const { issuer } = prepared
  const isPrepared =
    (policyStays || (policy !== undefined && hasSamePolicy(spec, prepared.spec))) &&
    hasSameIssuer(spec, prepared.spec) &&
    isTestedAlike(spec, prepared.spec)
  if (!isPrepared) return undefined

  const { findings, acknowledgements } = judgeUpdate(deps, current, plan, authorship.acknowledge)
  // Those that it gives already are in use, and stay as long as it gives them.
  const former = rolesOf(current)
  const gifts = giftsOf(spec, current.project?.id ?? null).filter(({ role }) => !former.includes(role))
  await deps.holdRoles(trx, gifts)
  await issuer.register(trx, authorship, now)
  if (policy?.policy !== undefined) await deps.insertPolicy(trx, policy.policy, now)
  const policyDigest = policy?.digest ?? current.policyDigest
  const identity = await writeIdentity(
    trx,
    current,
    { spec, acknowledgements, state, issuerId: issuer.id, policyDigest },
    authorship,
    now,
  )
  const verb = authorship.change ?? 'UPDATE'
  await deps.recordIdentity(trx, { verb, before: current, after: identity }, authorship, now)
  return { identity, notices: [...notices, ...issuer.notices], findings }
}

/** What the identity will let in, and what of it is acknowledged. Throws where a finding refuses the change. */
export function judgeUpdate(
  deps: UpdateWorkloadIdentityDeps,
  current: ChangeableIdentity,
  plan: PlannedUpdate,
  acknowledge: string | undefined,
): { readonly findings: readonly Finding[]; readonly acknowledgements: readonly Acknowledgement[] } {
  const findings = deps.findFindings(plan.spec, standingOf(current))
  const acknowledgements =
    onlyDisables(current, plan) && acknowledge === undefined
      ? current.acknowledgements
      : acknowledgeFindings(deps, findings, current.acknowledgements, acknowledge)
  return { findings, acknowledgements }
}

/** Which of the findings of what is planned refuse the change where it gives no reason. */
export function findBlockingUpdate(
  deps: UpdateWorkloadIdentityDeps,
  current: ChangeableIdentity,
  plan: PlannedUpdate,
  findings: readonly Finding[],
): readonly Finding[] {
  return onlyDisables(current, plan) ? [] : findBlocking(deps, findings, current.acknowledgements)
}

function hasSamePolicy(a: WorkloadIdentitySpec, b: WorkloadIdentitySpec): boolean {
  const [before, after] = [a.workloadIdentityConfig, b.workloadIdentityConfig]
  return (
    before.providerType === after.providerType &&
    before.conditions === after.conditions &&
    isDeepStrictEqual(before.rules, after.rules)
  )
}

/** Whether the tests that `a` has, if any, were run as they are by running those of `b`; rules aside. */
function isTestedAlike(a: WorkloadIdentitySpec, b: WorkloadIdentitySpec): boolean {
  if (a.tests.length === 0) return true
  const judged = ({ tests, recordedClaims, workloadIdentityConfig }: WorkloadIdentitySpec) => [
    tests,
    recordedClaims,
    workloadIdentityConfig.allowedAudiences,
  ]
  return isDeepStrictEqual(judged(a), judged(b))
}

/** To shut an identity must always be possible, whatever else is wrong with it. */
function onlyDisables(identity: ChangeableIdentity, { spec, state }: PlannedUpdate): boolean {
  if (state !== 'DISABLED') return false
  const names = Object.keys(spec) as (keyof WorkloadIdentitySpec)[]
  return names.every((name) => isDeepStrictEqual(spec[name], identity[name]))
}

function hasSameIssuer(a: WorkloadIdentitySpec, b: WorkloadIdentitySpec): boolean {
  const [before, after] = [a.workloadIdentityConfig, b.workloadIdentityConfig]
  return before.providerType === after.providerType && before.issuerUrl === after.issuerUrl
}
