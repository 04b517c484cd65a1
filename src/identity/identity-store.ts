import { randomUUID } from 'node:crypto'
import { type Kysely, type Selectable, sql, type UpdateObject } from 'kysely'
import type { Gift } from '../access/caller.ts'
import type { Membership } from '../access/iam-policy.ts'
import type { Database } from '../db/database.ts'
import { insertPolicyVersion, type PolicyChange } from '../db/insert-policy-version.ts'
import type { ListQuery } from '../db/list-query.ts'
import type { Schema, WorkloadIdentityTable } from '../db/schema.ts'
import { whereFilter } from '../db/where-filter.ts'
import type { Authorship } from '../fields/authorship.ts'
import type { FilterTerm } from '../fields/parse-filter.ts'
import type { PolicyTest } from '../policy-test/policy-test.ts'
import type { Acknowledgement } from './acknowledge-findings.ts'
import { lastRuleNumber } from './match-rules.ts'
import {
  giftsOf,
  type SubjectTokenUse,
  type WorkloadIdentityConfig,
  type WorkloadIdentitySpec,
} from './workload-identity.ts'

export type IdentityState = 'ACTIVE' | 'DISABLED' | 'DELETED'

/** An identity as exchanges need it. `id` is never used again; `revision` changes with every change. */
export type StoredIdentity = Omit<WorkloadIdentitySpec, 'tests'> & {
  readonly id: string
  readonly email: string
  /** Its own state; what it may do depends on its project's too. */
  readonly state: IdentityState
  /** The project that it belongs to; null where that is the workspace. */
  readonly project: { readonly id: string; readonly revision: string } | null
  /** Whether a token can be exchanged for it and its tokens count: neither it nor its project is deleted or disabled. */
  readonly isActive: boolean
  /** Whether its email was given anew after it was deleted. */
  readonly isSuperseded: boolean
  readonly policyDigest: string
  /** The highest N of all ids rule-N that its rules ever had. */
  readonly lastRuleNumber: number
  readonly revision: string
  readonly createTime: Date
  readonly updateTime: Date
}

/** All of an identity that is stored; what its author alone needs may be a hundred times as large as the rest. */
export type WholeIdentity = StoredIdentity &
  Pick<WorkloadIdentitySpec, 'tests'> & { readonly acknowledgements: readonly Acknowledgement[] }

/** An identity as a change of it is judged. `memberships`, of which there may be very many: its roles in projects beside its rules'. */
export type ChangeableIdentity = WholeIdentity & { readonly memberships: readonly Membership[] }

export type NewIdentity = {
  readonly email: string
  readonly projectId: string | null
  readonly spec: WorkloadIdentitySpec
  readonly acknowledgements: readonly Acknowledgement[]
  readonly issuerId: string
  readonly policyDigest: string
}

/** What becomes of an identity; `issuerId` undefined: the issuer stays. */
export type WrittenIdentity = {
  readonly spec: WorkloadIdentitySpec
  readonly acknowledgements: readonly Acknowledgement[]
  readonly state: 'ACTIVE' | 'DISABLED'
  readonly issuerId: string | undefined
  readonly policyDigest: string
}

/** `projectId` null: those of the workspace. */
export type IdentityQuery = ListQuery & {
  readonly projectId: string | null
  readonly filter: readonly FilterTerm[]
}

export type IdentityStore = {
  /** The identity that has this email now: the living one, or else the one deleted last. */
  find(email: string): Promise<WholeIdentity | undefined>
  findToChange(email: string): Promise<ChangeableIdentity | undefined>
  /** The same as exchanges need it. */
  findToJudge(email: string): Promise<StoredIdentity | undefined>
  /** Those of these emails that are there, as `findToChange` gives them. */
  findAll(emails: readonly string[]): Promise<readonly ChangeableIdentity[]>
  /** All that live, of the workspace and of every project, by email: how many there are is the administrators' doing. */
  listLiving(): Promise<readonly ChangeableIdentity[]>
  /** Some of those that live and have tests, by internal id: those after this one. */
  listTested(query: {
    readonly after: string | undefined
    readonly limit: number
  }): Promise<readonly WholeIdentity[]>
  /** By email, those that have it now; a deleted one whose email was given anew is never among them. */
  list(query: IdentityQuery): Promise<readonly WholeIdentity[]>
}

/** What identities can be filtered by, each with its column. */
const FILTER_COLUMNS = {
  name: sql<string>`'workloadIdentities/' || email`,
  email: sql<string>`email`,
  title: sql<string>`workload_identities.title`,
  state: sql<string>`workload_identities.state`,
}

export function createIdentityStore(db: Database): IdentityStore {
  return {
    async find(email) {
      const row = await selectWhole(db.kysely)
        .where('email', '=', email)
        .where('superseded', '=', false)
        .executeTakeFirst()
      return row && wholeFromRow(row)
    },

    async findToChange(email) {
      const row = await selectToChange(db.kysely)
        .where('email', '=', email)
        .where('superseded', '=', false)
        .executeTakeFirst()
      return row && changeableFromRow(row)
    },

    async findToJudge(email) {
      const row = await selectToJudge(db.kysely)
        .where('email', '=', email)
        .where('superseded', '=', false)
        .executeTakeFirst()
      return row && fromRow(row)
    },

    async findAll(emails) {
      const rows = await selectToChange(db.kysely).where(isOneOf(emails)).execute()
      return rows.map(changeableFromRow)
    },

    async listLiving() {
      const rows = await selectToChange(db.kysely)
        .where('superseded', '=', false)
        .where('workload_identities.state', '<>', 'DELETED')
        .orderBy('email')
        .execute()
      return rows.map(changeableFromRow)
    },

    async listTested({ after, limit }) {
      let select = selectWhole(db.kysely)
        .where('superseded', '=', false)
        .where('workload_identities.state', '<>', 'DELETED')
        .where(sql<boolean>`json_array_length(tests) > 0`)
        .orderBy('workload_identities.id')
        .limit(limit)
      if (after !== undefined) select = select.where('workload_identities.id', '>', after)
      return (await select.execute()).map(wholeFromRow)
    },

    async list({ projectId, filter, showDeleted, after, limit }) {
      let select = selectWhole(db.kysely)
        .where('superseded', '=', sql.lit(false))
        .where('project_id', projectId === null ? 'is' : '=', projectId)
        .where(whereFilter(filter, FILTER_COLUMNS))
        // All have the same project; said first, it lets PostgreSQL read the index in order where that is null.
        .orderBy('project_id')
        .orderBy(sql`email collate "C"`)
        .limit(limit)
      if (!showDeleted) select = select.where('workload_identities.state', '<>', 'DELETED')
      if (after !== undefined) select = select.where(sql<boolean>`email collate "C" > ${after}`)
      return (await select.execute()).map(wholeFromRow)
    },
  }
}

/**
 * Keeps an identity from changing, and from becoming a member of anything, until the transaction ends, and tells what
 * it is now. By its internal id.
 */
export async function lockIdentity(trx: Kysely<Schema>, id: string): Promise<ChangeableIdentity> {
  // Read once it is locked: a statement that had to wait sees its memberships as they were before.
  await trx.selectFrom('workload_identities').select('id').where('id', '=', id).forUpdate().execute()
  const row = await selectToChange(trx).where('workload_identities.id', '=', id).executeTakeFirstOrThrow()
  return changeableFromRow(row)
}

/** The same for those of these emails that are there; always in one order, so that two who lock many do not block. */
export async function lockIdentities(
  trx: Kysely<Schema>,
  emails: readonly string[],
): Promise<readonly ChangeableIdentity[]> {
  await trx
    .selectFrom('workload_identities')
    .select('id')
    .where(isOneOf(emails))
    .orderBy('id')
    .forUpdate()
    .execute()
  const rows = await selectToChange(trx).where(isOneOf(emails)).execute()
  return rows.map(changeableFromRow)
}

/**
 * Adds an identity. One that was deleted under the same email is superseded: it can then not be brought back.
 * Throws the database's unique violation where a living one has the email.
 */
export async function insertIdentity(
  trx: Kysely<Schema>,
  { email, projectId, spec, acknowledgements, issuerId, policyDigest }: NewIdentity,
  authorship: Authorship,
  now: Date,
): Promise<ChangeableIdentity> {
  await trx
    .updateTable('workload_identities')
    .set({ superseded: true })
    .where('email', '=', email)
    .where('superseded', '=', false)
    .where('state', '=', 'DELETED')
    .execute()
  const id = randomUUID()
  await trx
    .insertInto('workload_identities')
    .values({
      ...columnsOf(spec, acknowledgements, 0),
      id,
      email,
      project_id: projectId,
      state: 'ACTIVE',
      issuer_id: issuerId,
      policy_digest: policyDigest,
      create_time: now,
      update_time: now,
    })
    .execute()
  return saved(trx, id, 'CREATE', authorship, now)
}

/** Writes what an identity, which is locked, is from now on. */
export function writeIdentity(
  trx: Kysely<Schema>,
  identity: StoredIdentity,
  { spec, acknowledgements, state, issuerId, policyDigest }: WrittenIdentity,
  authorship: Authorship,
  now: Date,
): Promise<ChangeableIdentity> {
  return update(trx, identity.id, authorship.change ?? 'UPDATE', authorship, now, {
    ...columnsOf(spec, acknowledgements, identity.lastRuleNumber),
    state,
    policy_digest: policyDigest,
    ...(issuerId !== undefined && { issuer_id: issuerId }),
  })
}

/** Softly: the identity, which is locked, stays, with state DELETED. */
export function deleteIdentity(
  trx: Kysely<Schema>,
  { id, state }: StoredIdentity,
  authorship: Authorship,
  now: Date,
): Promise<ChangeableIdentity> {
  return update(trx, id, 'DELETE', authorship, now, { state: 'DELETED', state_before_delete: state })
}

/** Gives a deleted identity, which is locked and not superseded, the state that it had. */
export function undeleteIdentity(
  trx: Kysely<Schema>,
  { id }: StoredIdentity,
  acknowledgements: readonly Acknowledgement[],
  authorship: Authorship,
  now: Date,
): Promise<ChangeableIdentity> {
  return update(trx, id, 'UNDELETE', authorship, now, {
    acknowledgements: JSON.stringify(acknowledgements),
    state: sql<string>`coalesce(state_before_delete, 'ACTIVE')`,
    state_before_delete: null,
  })
}

/**
 * Makes all that an identity, which is locked, was issued until now count no more: what is decided on an earlier
 * revision is either decided anew or ended by it. Nothing of what its author decides changes, so there is no version.
 */
export async function revokeTokens(
  trx: Kysely<Schema>,
  { id }: StoredIdentity,
): Promise<{ readonly from: string; readonly until: string }> {
  const { rows } = await sql<{ from: string; until: string }>`
    with next as (select nextval('revisions') as revision),
      before as (select tokens_revoked_revision from workload_identities where id = ${id})
    update workload_identities set revision = next.revision, tokens_revoked_revision = next.revision
      from next, before where id = ${id}
      returning before.tokens_revoked_revision as from, next.revision as until`.execute(trx)
  const [range] = rows
  if (range === undefined) throw new Error('The identity whose tokens are revoked is gone.')
  return range
}

/** The unique index that a second living identity under one email runs into. */
export const EMAIL_TAKEN = 'workload_identities_one_current_per_email'

/** One parameter for them all: PostgreSQL takes 65,535, and each number of them would be another statement. */
function isOneOf(emails: readonly string[]) {
  return sql<boolean>`not superseded and email in (select jsonb_array_elements_text(${JSON.stringify(emails)}::jsonb))`
}

function selectWhole(kysely: Kysely<Schema>) {
  return selectToJudge(kysely).select(['tests', 'acknowledgements'])
}

function selectToChange(kysely: Kysely<Schema>) {
  return selectWhole(kysely).select(
    sql<readonly Membership[]>`(
      select coalesce(json_agg(json_build_object('projectId', project_id, 'role', role, 'rule', rule)
          order by project_id, role, rule), '[]')
        from project_bindings where identity_id = workload_identities.id)`.as('memberships'),
  )
}

/** By name, since what is only the author's would fill the cache of identities. */
function selectToJudge(kysely: Kysely<Schema>) {
  return kysely
    .selectFrom('workload_identities')
    .leftJoin('projects', 'projects.id', 'workload_identities.project_id')
    .select([
      'workload_identities.id',
      'email',
      'project_id',
      'superseded',
      'workload_identities.title',
      'workload_identities.state',
      'token_lifetime_seconds',
      'subject_token_use',
      'token_audiences',
      'recorded_claims',
      'config',
      'last_rule_number',
      'workload_identities.policy_digest',
      'workload_identities.revision',
      'workload_identities.create_time',
      'workload_identities.update_time',
      'projects.revision as project_revision',
      'projects.state as project_state',
    ])
}

async function update(
  trx: Kysely<Schema>,
  id: string,
  change: PolicyChange,
  authorship: Authorship,
  now: Date,
  columns: UpdateObject<Schema, 'workload_identities'>,
): Promise<ChangeableIdentity> {
  await trx
    .updateTable('workload_identities')
    .set({ ...columns, revision: sql`nextval('revisions')`, update_time: now })
    .where('id', '=', id)
    .execute()
  return saved(trx, id, change, authorship, now)
}

/** Every save ends here, so that none is without its version. */
async function saved(
  trx: Kysely<Schema>,
  id: string,
  change: PolicyChange,
  authorship: Authorship,
  now: Date,
): Promise<ChangeableIdentity> {
  const identity = await lockIdentity(trx, id)
  const { state, policyDigest } = identity
  const version = { subject: subjectOf(identity), change, state, resource: specOf(identity), policyDigest }
  await insertPolicyVersion(trx, version, authorship, now)
  return identity
}

/** What an identity is called among the subjects of policy versions; one that gets its email anew is another. */
export function subjectOf({ id }: Pick<StoredIdentity, 'id'>): string {
  return `workloadIdentities/${id}`
}

/** What an identity's author decides of it, and no more. */
export function specOf(identity: WholeIdentity): WorkloadIdentitySpec {
  const { title, tokenLifetimeSeconds, subjectTokenUse, tokenAudiences, recordedClaims } = identity
  const { workloadIdentityConfig, tests } = identity
  return {
    title,
    tokenLifetimeSeconds,
    subjectTokenUse,
    tokenAudiences,
    recordedClaims,
    workloadIdentityConfig,
    tests,
  }
}

function columnsOf(
  spec: WorkloadIdentitySpec,
  acknowledgements: readonly Acknowledgement[],
  formerLastRuleNumber: number,
) {
  return {
    title: spec.title,
    token_lifetime_seconds: spec.tokenLifetimeSeconds,
    subject_token_use: spec.subjectTokenUse,
    token_audiences: JSON.stringify(spec.tokenAudiences),
    recorded_claims: JSON.stringify(spec.recordedClaims),
    config: JSON.stringify(spec.workloadIdentityConfig),
    tests: JSON.stringify(spec.tests),
    acknowledgements: JSON.stringify(acknowledgements),
    last_rule_number: lastRuleNumber(spec.workloadIdentityConfig.rules, formerLastRuleNumber),
  }
}

type IdentityRow = Omit<
  Selectable<WorkloadIdentityTable>,
  'state_before_delete' | 'issuer_id' | 'tests' | 'acknowledgements' | 'tokens_revoked_revision'
> & {
  project_revision: string | null
  project_state: string | null
}

type WholeRow = IdentityRow & Pick<Selectable<WorkloadIdentityTable>, 'tests' | 'acknowledgements'>

function changeableFromRow(row: WholeRow & Pick<ChangeableIdentity, 'memberships'>): ChangeableIdentity {
  return { ...wholeFromRow(row), memberships: row.memberships }
}

function wholeFromRow(row: WholeRow): WholeIdentity {
  return {
    ...fromRow(row),
    tests: row.tests as readonly PolicyTest[],
    acknowledgements: row.acknowledgements as readonly Acknowledgement[],
  }
}

/** Where an identity belongs and is a member. */
export function standingOf({
  project,
  memberships,
}: ChangeableIdentity): Pick<ChangeableIdentity, 'memberships'> & { readonly projectId: string | null } {
  return { projectId: project?.id ?? null, memberships }
}

/** All that an identity gives, and where: by its rules, and by its memberships. */
export function allGiftsOf({ project, memberships, ...spec }: ChangeableIdentity): readonly Gift[] {
  return [...giftsOf(spec, project?.id ?? null), ...memberships]
}

function fromRow(row: IdentityRow): StoredIdentity {
  const project =
    row.project_id === null || row.project_revision === null
      ? null
      : { id: row.project_id, revision: row.project_revision }
  return {
    id: row.id,
    email: row.email,
    title: row.title,
    state: row.state as IdentityState,
    project,
    isActive: row.state === 'ACTIVE' && (project === null || row.project_state === 'ACTIVE'),
    isSuperseded: row.superseded,
    tokenLifetimeSeconds: row.token_lifetime_seconds,
    subjectTokenUse: row.subject_token_use as SubjectTokenUse,
    tokenAudiences: row.token_audiences,
    recordedClaims: row.recorded_claims,
    workloadIdentityConfig: row.config as WorkloadIdentityConfig,
    policyDigest: row.policy_digest,
    lastRuleNumber: row.last_rule_number,
    revision: row.revision,
    createTime: row.create_time,
    updateTime: row.update_time,
  }
}
