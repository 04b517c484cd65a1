import { isDeepStrictEqual } from 'node:util'
import { checkRevision, type IfMatch } from '../db/check-revision.ts'
import { violatedConstraint } from '../db/database-fault.ts'
import { invalidArgument, RequestError } from '../errors.ts'
import type { Authorship } from '../fields/authorship.ts'
import type { PreparedPolicy } from '../policy/prepare-policy.ts'
import type { CreateWorkloadIdentityDeps, SavedIdentity } from './create-workload-identity.ts'
import { type IdentityIssuer, issuerFor } from './identity-issuer.ts'
import { type IdentityPatch, patchedBody } from './identity-patch.ts'
import { lockIdentity, type StoredIdentity, writeIdentity } from './identity-store.ts'
import { parseWorkloadIdentity } from './parse-workload-identity.ts'
import type { WorkloadIdentitySpec } from './workload-identity.ts'

export type UpdateWorkloadIdentityDeps = CreateWorkloadIdentityDeps & {
  readonly findIdentity: (email: string) => Promise<StoredIdentity | undefined>
}

/** What an identity would be after a change. */
type Plan = {
  readonly spec: WorkloadIdentitySpec
  readonly state: 'ACTIVE' | 'DISABLED'
  readonly notices: readonly string[]
}

/** What takes long or asks others, and is therefore made before the row is locked, for what was planned then. */
type Prepared = {
  readonly spec: WorkloadIdentitySpec
  readonly policy: PreparedPolicy | undefined
  readonly issuer: IdentityIssuer
}

/** How often a change is planned anew because somebody else's came between; a busier identity is a fault. */
const MAX_ATTEMPTS = 5

/**
 * Changes an identity with its policy and, where its issuer is new, that issuer: all of it or nothing. Changes without
 * an etag are made one after the other, each on what the one before left. Throws `not_found`, `failed_precondition`
 * for a deleted one, `aborted` where its etag is another, `invalid_argument` naming the field at fault.
 */
export async function updateWorkloadIdentity(
  deps: UpdateWorkloadIdentityDeps,
  email: string,
  patch: IdentityPatch,
  ifMatch: IfMatch,
  authorship: Authorship,
): Promise<SavedIdentity> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const identity = await deps.findIdentity(email)
    if (identity === undefined) throw new RequestError('not_found', 'There is no such workload identity.')
    const plan = planChange(deps, identity, patch, ifMatch)
    const prepared = await prepare(deps, identity, plan.spec)
    const saved = await save(deps, identity, prepared, authorship, (current) =>
      current.revision === identity.revision ? plan : planChange(deps, current, patch, ifMatch),
    ).catch((error: unknown) => {
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

/** What an identity would be after a change. Throws as `updateWorkloadIdentity` does. */
export function planChange(
  deps: UpdateWorkloadIdentityDeps,
  identity: StoredIdentity,
  patch: IdentityPatch,
  ifMatch: IfMatch,
): Plan {
  if (identity.state === 'DELETED') {
    throw new RequestError(
      'failed_precondition',
      `workloadIdentities/${identity.email} is deleted: undelete it first.`,
    )
  }
  checkRevision(identity.revision, ifMatch, patch.etag)
  const parsed = parseWorkloadIdentity(patchedBody(identity, patch), {
    ...deps,
    email: identity.email,
    former: { rules: identity.workloadIdentityConfig.rules, lastRuleNumber: identity.lastRuleNumber },
    // What the change leaves alone is not judged anew: a role may be gone since.
    knownRoles: patch.changesRules ? deps.knownRoles : [...deps.knownRoles, ...rolesOf(identity)],
  })
  if (!parsed.ok) throw invalidArgument(`${parsed.field} ${parsed.message}.`)
  return {
    spec: parsed.spec,
    state: patch.state ?? identity.state,
    notices: patch.changesJudgement ? [...parsed.notices, ...audienceNotices(identity, parsed.spec)] : [],
  }
}

function rolesOf({ workloadIdentityConfig }: WorkloadIdentitySpec): readonly string[] {
  return workloadIdentityConfig.rules.flatMap(({ roles }) => roles)
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

async function prepare(
  deps: UpdateWorkloadIdentityDeps,
  identity: StoredIdentity,
  spec: WorkloadIdentitySpec,
): Promise<Prepared> {
  const { workloadIdentityConfig: config } = spec
  const policy = hasSameRules(spec, identity) ? undefined : await deps.preparePolicy(config.rules)
  return { spec, policy, issuer: await issuerFor(deps, config) }
}

/** Undefined where the identity is another by now, for which something else has to be prepared. */
function save(
  deps: UpdateWorkloadIdentityDeps,
  { id }: StoredIdentity,
  prepared: Prepared,
  authorship: Authorship,
  planFor: (current: StoredIdentity) => Plan,
): Promise<SavedIdentity | undefined> {
  return deps.db.kysely.transaction().execute(async (trx) => {
    const now = new Date(deps.clock())
    const current = await lockIdentity(trx, id)
    const { spec, state, notices } = planFor(current)
    const rulesStay = hasSameRules(spec, current)
    const policy = rulesStay ? undefined : prepared.policy
    const { issuer } = prepared
    const isPrepared =
      (rulesStay || (policy !== undefined && hasSameRules(spec, prepared.spec))) &&
      hasSameIssuer(spec, prepared.spec)
    if (!isPrepared) return undefined

    await issuer.register(trx, now)
    if (policy?.policy !== undefined) await deps.insertPolicy(trx, policy.policy, now)
    const policyDigest = policy?.digest ?? current.policyDigest
    const identity = await writeIdentity(
      trx,
      current,
      { spec, state, issuerId: issuer.id, policyDigest },
      authorship,
      now,
    )
    return { identity, notices: [...notices, ...issuer.notices] }
  })
}

function hasSameRules(a: WorkloadIdentitySpec, b: WorkloadIdentitySpec): boolean {
  return isDeepStrictEqual(a.workloadIdentityConfig.rules, b.workloadIdentityConfig.rules)
}

function hasSameIssuer(a: WorkloadIdentitySpec, b: WorkloadIdentitySpec): boolean {
  return a.workloadIdentityConfig.issuerUrl === b.workloadIdentityConfig.issuerUrl
}
