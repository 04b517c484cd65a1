import { isDeepStrictEqual } from 'node:util'
import { RequestError } from '../errors.ts'
import type { Finding } from '../finding/finding.ts'
import type { PreparedPolicy } from '../policy/prepare-policy.ts'
import { findBlocking } from './acknowledge-findings.ts'
import { prepareCreate } from './create-workload-identity.ts'
import { eachEntry } from './each-entry.ts'
import { type ChangeAction, saysTheSame, type WantedIdentity } from './identity-changes.ts'
import { emailOf, placeOf } from './identity-email.ts'
import { issuerFor } from './identity-issuer.ts'
import { readIdentityPatch } from './identity-patch.ts'
import { type ChangeableIdentity, type IdentityStore, standingOf } from './identity-store.ts'
import { onceEachPolicy } from './once-each-policy.ts'
import {
  findBlockingUpdate,
  planUpdate,
  prepareUpdate,
  type UpdateWorkloadIdentityDeps,
} from './update-workload-identity.ts'
import type { WorkloadIdentitySpec } from './workload-identity.ts'

export type PlanIdentitiesDeps = UpdateWorkloadIdentityDeps & {
  readonly identities: Pick<IdentityStore, 'findAll' | 'listLiving'>
}

/** What an identity is, or would be, as far as its author decides it. */
export type IdentityContent = WorkloadIdentitySpec & { readonly state: 'ACTIVE' | 'DISABLED' }

/**
 * `isNew`: the identity that there is has it not. `isBlocking`: BLOCK_FINDINGS refuses an apply for it that gives no reason.
 */
export type PlannedFinding = Finding & { readonly isNew: boolean; readonly isBlocking: boolean }

/** What has to be done about one identity; given to an apply as it is, it does just that. */
export type PlannedChange = {
  readonly action: ChangeAction
  readonly email: string
  /** Of what is changed or deleted. */
  readonly etag?: string
  readonly before?: IdentityContent
  readonly after?: IdentityContent
  readonly notices: readonly string[]
  /** Whom it would let in that may not be meant; none of what is deleted. */
  readonly findings: readonly PlannedFinding[]
}

export type IdentitiesPlan = {
  readonly changes: readonly PlannedChange[]
  /** Of those that were planned, in their order. */
  readonly emails: readonly string[]
  /** By email, what would judge those whose policy changes: of the first of them, since it takes memory. */
  readonly policies: ReadonlyMap<string, PreparedPolicy>
  /** The emails of those that let jobs in now and would let in none, whatever they say. */
  readonly closed: readonly string[]
}

/** 180 kB each, which are let go of with the answer. */
const MAX_KEPT_POLICIES = 250

/**
 * What would have to change for these identities to be what is wanted, and with `keep` no others to be there than these
 * and those. Nothing is saved; what changes is compiled and tried, so that an apply of it is not refused for it. Throws
 * `invalid_argument` with all that is wrong with any of them.
 */
export async function planIdentities(
  deps: PlanIdentitiesDeps,
  {
    workloadIdentities,
    keep,
  }: {
    readonly workloadIdentities: readonly WantedIdentity[]
    readonly keep?: readonly string[] | undefined
  },
): Promise<IdentitiesPlan> {
  const emails = workloadIdentities.map((wanted) => emailOfWanted(wanted, deps.identityDomain))
  const living =
    keep === undefined ? await deps.identities.findAll(emails) : await deps.identities.listLiving()
  const stored = new Map(living.filter(({ state }) => state !== 'DELETED').map((each) => [each.email, each]))
  const entries = workloadIdentities.map((wanted, index) => ({ email: emails[index] ?? '', wanted }))
  const seen = new Set<string>()
  const policies = new Map<string, PreparedPolicy>()
  const planning = { ...deps, preparePolicy: onceEachPolicy(deps.preparePolicy) }
  const planned = await eachEntry(
    entries,
    ({ email }) => email,
    async ({ email, wanted }) => {
      if (seen.has(email)) throw new RequestError('invalid_argument', 'It is among them already.')
      seen.add(email)
      const current = stored.get(email)
      return current === undefined
        ? planCreation(planning, email, wanted)
        : planChange(planning, current, wanted.workloadIdentity, (policy) => {
            if (policies.size < MAX_KEPT_POLICIES) policies.set(email, policy)
          })
    },
  )
  const deletions = keep === undefined ? [] : deletionsBeside([...emails, ...keep], living)
  const changes = [...planned.filter((change) => change !== undefined), ...deletions]
  const closed = changes
    .filter(
      ({ action, email, after }) =>
        action !== 'CREATE' && after?.state !== 'ACTIVE' && stored.get(email)?.isActive,
    )
    .map(({ email }) => email)
  return { changes, emails, policies, closed }
}

function emailOfWanted(
  { workloadIdentityId, project, workloadIdentity }: WantedIdentity,
  domain: string,
): string {
  if (workloadIdentityId === undefined) return workloadIdentity.email ?? ''
  return emailOf(workloadIdentityId, domain, project)
}

/** Findings are told, and refuse only who makes the changes without a reason. */
function unblocked<Deps extends PlanIdentitiesDeps>(deps: Deps): Deps {
  return { ...deps, blockFindings: 'none' }
}

async function planCreation(
  deps: PlanIdentitiesDeps,
  email: string,
  { workloadIdentity }: WantedIdentity,
): Promise<PlannedChange> {
  const { state = 'ACTIVE', ...body } = workloadIdentity
  const { id, projectId } = placeFor(email, deps.identityDomain)
  const { identity, notices, findings } = await prepareCreate(unblocked(deps), id, body, projectId, undefined)
  const issuer = await issuerFor(deps, identity.spec.workloadIdentityConfig)
  const after = { ...identity.spec, state: checkedState(state) }
  return {
    action: 'CREATE',
    email,
    after,
    notices: [...notices, ...issuer.notices],
    findings: marked(findings, [], findBlocking(deps, findings, [])),
  }
}

/** Throws `invalid_argument` for an email that can be none of this service's. */
export function placeFor(email: string, domain: string): { id: string; projectId: string | undefined } {
  const place = placeOf(email, domain)
  if (place !== undefined) return place
  throw new RequestError(
    'invalid_argument',
    `The email must end with @${domain}, or with @PROJECT.${domain} for an identity of a project.`,
  )
}

export function checkedState(state: string): 'ACTIVE' | 'DISABLED' {
  if (state === 'ACTIVE' || state === 'DISABLED') return state
  throw new RequestError('invalid_argument', "state must be 'ACTIVE' or 'DISABLED'.")
}

/** Undefined where it is what is wanted already. */
async function planChange(
  deps: PlanIdentitiesDeps,
  current: ChangeableIdentity,
  wanted: WantedIdentity['workloadIdentity'],
  keepPolicy: (policy: PreparedPolicy) => void,
): Promise<PlannedChange | undefined> {
  const plan = planUpdate(deps, current, readIdentityPatch(wanted, '*'), undefined)
  const after = { ...plan.spec, state: plan.state }
  if (saysTheSame(after, current)) return undefined
  const { issuer, policy } = await prepareUpdate(deps, current, plan)
  if (policy !== undefined) keepPolicy(policy)
  const findings = deps.findFindings(plan.spec, standingOf(current))
  return {
    action: 'UPDATE',
    email: current.email,
    etag: current.revision,
    before: contentOf(current, after),
    after,
    notices: [...plan.notices, ...issuer.notices],
    findings: marked(
      findings,
      deps.findFindings(current, standingOf(current)),
      findBlockingUpdate(deps, current, plan, findings),
    ),
  }
}

function marked(
  findings: readonly Finding[],
  former: readonly Finding[],
  blocking: readonly Finding[],
): readonly PlannedFinding[] {
  const isAmong = (others: readonly Finding[], finding: Finding) =>
    others.some((each) => isDeepStrictEqual(each, finding))
  return findings.map((finding) => ({
    ...finding,
    isNew: !isAmong(former, finding),
    isBlocking: isAmong(blocking, finding),
  }))
}

function deletionsBeside(
  emails: readonly string[],
  living: readonly ChangeableIdentity[],
): readonly PlannedChange[] {
  const wanted = new Set(emails)
  return living
    .filter(({ email }) => !wanted.has(email))
    .map(({ email, revision }) => ({ action: 'DELETE', email, etag: revision, notices: [], findings: [] }))
}

/** Of a stored identity what its author decides, which are the fields of what it is to be. */
function contentOf(identity: ChangeableIdentity, after: IdentityContent): IdentityContent {
  return Object.fromEntries(
    Object.keys(after).map((name) => [name, Reflect.get(identity, name)]),
  ) as IdentityContent
}
