import type { Database } from '../db/database.ts'
import { violatedConstraint } from '../db/database-fault.ts'
import { RequestError } from '../errors.ts'
import type { Authorship } from '../fields/authorship.ts'
import type { PreparePolicy } from '../policy/prepare-policy.ts'
import {
  type PreparedCreate,
  prepareCreate,
  type SavedIdentity,
  saveCreate,
} from './create-workload-identity.ts'
import { eachEntry } from './each-entry.ts'
import type { AskedChanges, WantedChange } from './identity-changes.ts'
import { type IdentityIssuer, issuerFor } from './identity-issuer.ts'
import { readIdentityPatch } from './identity-patch.ts'
import {
  type ChangeableIdentity,
  type IdentityStore,
  lockIdentities,
  writeIdentity,
} from './identity-store.ts'
import { onceEachPolicy } from './once-each-policy.ts'
import { checkedState, placeFor } from './plan-identities.ts'
import { saveDelete } from './remove-workload-identity.ts'
import {
  judgeUpdate,
  type PlannedUpdate,
  type PreparedUpdate,
  planUpdate,
  prepareUpdate,
  saveUpdate,
  type UpdateWorkloadIdentityDeps,
} from './update-workload-identity.ts'

export type ApplyIdentityChangesDeps = UpdateWorkloadIdentityDeps & {
  readonly identities: Pick<IdentityStore, 'findAll'>
  readonly alongside?: Alongside | undefined
}

/** What is changed in the same transaction as the identities. */
export type Alongside = {
  /** Names what is not what the change was planned for; with `trx` it stays as it is until that ends. */
  readonly findStale: (trx?: Database['kysely']) => Promise<readonly string[]>
  readonly save: (trx: Database['kysely'], authorship: Authorship, now: Date) => Promise<void>
}

/** What was done about one identity; absent `saved`: it is deleted. */
export type AppliedChange = { readonly email: string; readonly saved?: SavedIdentity }

type Prepared =
  | {
      readonly action: 'CREATE'
      readonly create: PreparedCreate
      readonly issuer: IdentityIssuer
      readonly state: 'ACTIVE' | 'DISABLED'
    }
  | { readonly action: 'UPDATE'; readonly plan: PlannedUpdate; readonly update: PreparedUpdate }
  | { readonly action: 'DELETE' }

/**
 * Makes many changes of identities, all of them or none. Everything is read, compiled and tried before the one
 * transaction begins, and there each identity, and what is changed alongside, must still be what the change was planned for; with
 * `validateOnly` that is all, and an apply that follows finds its policies compiled. Throws
 * `invalid_argument` with all that is wrong with any of them, `aborted` naming those that are others by now,
 * `permission_denied`.
 */
export async function applyIdentityChanges(
  deps: ApplyIdentityChangesDeps,
  { changes, validateOnly = false }: AskedChanges,
  authorship: Authorship,
): Promise<readonly AppliedChange[]> {
  refuseRepeated(changes)
  const found = await deps.identities.findAll(changes.map(({ email }) => email))
  const current = livingByEmail(found)
  refuseStale(changes, current, (await deps.alongside?.findStale()) ?? [])
  const inBatch = { ...deps, ...batchIssuers(deps), preparePolicy: onceEachPolicy(storing(deps)) }
  const prepared = await eachEntry(
    changes,
    ({ email }) => email,
    (change) => prepareChange(inBatch, change, current.get(change.email), authorship.acknowledge),
  )
  if (validateOnly) return []
  try {
    return await save(deps, changes, prepared, authorship)
  } catch (error) {
    if (violatedConstraint(error) === undefined) throw error
    throw new RequestError('aborted', 'Others created the same identity or issuer meanwhile: plan again.')
  }
}

function refuseRepeated(changes: readonly WantedChange[]): void {
  const emails = changes.map(({ email }) => email)
  const seen = new Set<string>()
  const repeated = emails.find((email) => seen.size === seen.add(email).size)
  if (repeated === undefined) return
  throw new RequestError('invalid_argument', `${repeated} stands among the changes twice.`)
}

function livingByEmail(found: readonly ChangeableIdentity[]): ReadonlyMap<string, ChangeableIdentity> {
  return new Map(
    found.filter(({ state }) => state !== 'DELETED').map((identity) => [identity.email, identity]),
  )
}

/** Each must have the etag of its change, and what is created must not be there. */
function refuseStale(
  changes: readonly WantedChange[],
  current: ReadonlyMap<string, ChangeableIdentity>,
  alongside: readonly string[],
): void {
  const staleIdentities = changes
    .filter(({ action, email, etag }) => {
      const revision = current.get(email)?.revision
      return action === 'CREATE' ? revision !== undefined : revision === undefined || revision !== etag
    })
    .map(({ email }) => email)
  const stale = [...alongside, ...staleIdentities]
  if (stale.length === 0) return
  const more = stale.length > MAX_NAMED ? ` and ${stale.length - MAX_NAMED} more` : ''
  throw new RequestError(
    'aborted',
    `Nothing was changed, because these are not what the change was planned for: ${stale.slice(0, MAX_NAMED).join(', ')}${more}. Plan again.`,
    { details: [{ stale }] },
  )
}

/** The others stand in the details. */
const MAX_NAMED = 5

async function prepareChange(
  deps: ApplyIdentityChangesDeps,
  { action, email, workloadIdentity }: WantedChange,
  current: ChangeableIdentity | undefined,
  acknowledge: string | undefined,
): Promise<Prepared> {
  if (action === 'DELETE') return { action }
  if (workloadIdentity === undefined) {
    throw new RequestError('invalid_argument', 'workloadIdentity is required for what is created or updated.')
  }
  if (current !== undefined) {
    const plan = planUpdate(deps, current, readIdentityPatch(workloadIdentity, '*'), undefined)
    const update = await prepareUpdate(deps, current, plan)
    judgeUpdate(deps, current, plan, acknowledge)
    return { action: 'UPDATE', plan, update }
  }
  const { state = 'ACTIVE', ...body } = workloadIdentity
  const { id, projectId } = placeFor(email, deps.identityDomain)
  const create = await prepareCreate(deps, id, body, projectId, acknowledge)
  const issuer = await issuerFor(deps, create.identity.spec.workloadIdentityConfig)
  return { action: 'CREATE', create, issuer, state: checkedState(state) }
}

/**
 * Stores each policy at once and lets go of it: a thousand of them would take 150 MB and a long transaction. It is named
 * by its content and nobody's until an identity has it.
 */
function storing({ preparePolicy, insertPolicy, db, clock }: ApplyIdentityChangesDeps): PreparePolicy {
  return async (source) => {
    const { digest, policy } = await preparePolicy(source)
    if (policy !== undefined) await insertPolicy(db.kysely, policy, new Date(clock()))
    return { digest }
  }
}

function save(
  deps: ApplyIdentityChangesDeps,
  changes: readonly WantedChange[],
  prepared: readonly Prepared[],
  authorship: Authorship,
): Promise<readonly AppliedChange[]> {
  return deps.db.kysely.transaction().execute(async (trx) => {
    const now = new Date(deps.clock())
    const locked = await lockIdentities(
      trx,
      changes.map(({ email }) => email),
    )
    const current = livingByEmail(locked)
    refuseStale(changes, current, (await deps.alongside?.findStale(trx)) ?? [])
    const applied: AppliedChange[] = []
    for (const [index, { email }] of changes.entries()) {
      const change = prepared[index]
      const identity = current.get(email)
      if (change?.action === 'CREATE') {
        const saved = await saveCreate(deps, trx, change.create, change.issuer, authorship, now)
        applied.push({ email, saved: await inState(deps, trx, saved, change, authorship, now) })
      } else if (change?.action === 'UPDATE' && identity !== undefined) {
        const saved = await saveUpdate(deps, trx, identity, change.update, change.plan, authorship, now)
        if (saved === undefined) throw new Error(`What was prepared for ${email} is not what was planned.`)
        applied.push({ email, saved })
      } else if (identity !== undefined) {
        await saveDelete(deps, trx, identity, undefined, authorship, now)
        applied.push({ email })
      }
    }
    await deps.alongside?.save(trx, authorship, now)
    return applied
  })
}

/** An identity begins active; one that is wanted disabled is so before anybody sees it. */
async function inState(
  { recordIdentity }: Pick<ApplyIdentityChangesDeps, 'recordIdentity'>,
  trx: Database['kysely'],
  saved: SavedIdentity,
  { create, state }: Extract<Prepared, { action: 'CREATE' }>,
  authorship: Authorship,
  now: Date,
): Promise<SavedIdentity> {
  if (state === 'ACTIVE') return saved
  const { spec, acknowledgements, policyDigest } = create.identity
  const identity = await writeIdentity(
    trx,
    saved.identity,
    { spec, acknowledgements, state, issuerId: undefined, policyDigest },
    authorship,
    now,
  )
  await recordIdentity(trx, { verb: 'UPDATE', before: saved.identity, after: identity }, authorship, now)
  return { ...saved, identity }
}

/** Several identities may bring the same new issuer: it has one id, and is registered once. */
function batchIssuers({
  freeIssuerId,
  registerIssuer,
}: ApplyIdentityChangesDeps): Pick<ApplyIdentityChangesDeps, 'freeIssuerId' | 'registerIssuer'> {
  const ids = new Map<string, Promise<string>>()
  const reserved = new Set<string>()
  const registered = new Set<string>()
  let last: Promise<unknown> = Promise.resolve()
  return {
    freeIssuerId(url) {
      const known = ids.get(url)
      if (known !== undefined) return known
      const id = last.then(() => freeIssuerId(url, (other) => reserved.has(other)))
      last = id.then((free) => reserved.add(free))
      ids.set(url, id)
      return id
    },
    async registerIssuer(trx, issuer, authorship, now) {
      if (registered.has(issuer.id)) return
      registered.add(issuer.id)
      await registerIssuer(trx, issuer, authorship, now)
    },
  }
}
