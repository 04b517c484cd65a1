import { type Selectable, sql } from 'kysely'
import type { Database, PreparedStatement } from '../db/database.ts'
import type { DecisionTable } from '../db/schema.ts'
import type { AttemptSummary } from './attempt-summaries.ts'
import type { AccessReason, DecisionKind, EarlierUse, Outcome, Reason } from './decision.ts'
import { firstIdAt } from './decision-id.ts'
import { OUTCOME_OF } from './reasons.ts'

export type StoredDecision = Selectable<DecisionTable>

/** What decisions are looked for by; all that is given must hold. Times in milliseconds since the epoch. */
export type DecisionFilter = {
  readonly identity?: string | undefined
  readonly outcome?: Outcome | undefined
  readonly reason?: Reason | AccessReason | undefined
  readonly kind?: DecisionKind | undefined
  /** In lower case. */
  readonly projectPath?: string | undefined
  readonly project?: string | undefined
  /** What access was asked for. */
  readonly resourceType?: string | undefined
  readonly resourceId?: string | undefined
  /** Those on access left out. */
  readonly isOfExchanges?: boolean
  readonly since?: number | undefined
  /** Exclusive. */
  readonly until?: number | undefined
}

/** `before` and `after` are ids: only decisions between them, newest first unless `oldestFirst`. */
export type DecisionQuery = DecisionFilter & {
  readonly before?: string | undefined
  readonly after?: string | undefined
  readonly oldestFirst?: boolean
  readonly limit: number
}

const REPLAYABLE = [
  'id',
  'kind',
  'outcome',
  'reason',
  'identity',
  'subject',
  'project',
  'claims',
  'verdict',
  'policy_digest',
  'guardrails_digest',
  'decide_time',
] as const

/** What there is of a decision to ask a policy again. */
export type ReplayableDecision = Pick<StoredDecision, (typeof REPLAYABLE)[number]>

/** `first` and `last` in the order of ids. */
export type DecisionRange = { readonly first: string; readonly last: string }

/** An identity's decisions before an id, none on access among them, newest first. By its internal id too: its email may have been another's. */
export type AllowedQuery = {
  readonly identity: string
  readonly identityId: string
  readonly before?: string | undefined
  readonly limit: number
}

/** `claims` and `verdict` are null where it is no exchange that was allowed. */
export type AllowedExchange = {
  readonly id: string
  readonly claims: string | null
  readonly verdict: string | null
}

export type DecisionStore = {
  list(query: DecisionQuery): Promise<readonly StoredDecision[]>
  /** The same, with no more of each than a replay needs. */
  listReplayable(query: DecisionQuery): Promise<readonly ReplayableDecision[]>
  /** The first with a verdict at or after each of these ids: each of them once, in order. */
  sampleReplayable(filter: DecisionFilter, ids: readonly string[]): Promise<readonly ReplayableDecision[]>
  /** What allowed exchanges stood on, with the ids of what lies between them: so many in all, whatever they are. */
  listAllowed(query: AllowedQuery): Promise<readonly AllowedExchange[]>
  /** The ids of the rules that allowed exchanges met, and the last id that was looked at: undefined where none is left. */
  findMetRules(
    query: AllowedQuery & { readonly since: number },
  ): Promise<{ readonly rules: readonly string[]; readonly lastId: string | undefined }>
  /** Whether no more than so many come after an id. */
  hasAtMost(count: number, query: Omit<DecisionQuery, 'limit'>): Promise<boolean>
  /** The first and the last id of all that a filter lets through. */
  findRange(filter: DecisionFilter): Promise<DecisionRange | undefined>
  get(id: string): Promise<StoredDecision | undefined>
  /** Who used this token before, where one did. `jtiHash` in hex. */
  findEarlierUse(issuerUrl: string, jtiHash: string): Promise<EarlierUse | undefined>
  /** Adds rows that each stand for many attempts; one that is there already stays as it is. */
  insertSummaries(rows: readonly AttemptSummary[]): Promise<void>
  /** Makes the partitions for `now`'s month and those ahead; true where rows fell outside all partitions. */
  ensurePartitions(nowMs: number): Promise<{ strayRows: boolean }>
  /** For how many days decisions are kept, as the tables' owner wrote it down; undefined: for ever. */
  retentionDays(): Promise<number | undefined>
  /**
   * Drops the months that lie wholly before what is kept, and returns their partitions' names. `now` counts only as
   * far as the database's own clock has come. Nothing while another instance does the same.
   */
  retire(nowMs: number): Promise<readonly string[]>
  /** Forgets used, explained and revoked tokens that can no longer be presented; nothing while another instance does the same. */
  pruneUsedTokens(nowMs: number): Promise<void>
}

/** A month's notice is enough to mend what keeps the partitions from being made. */
export const MONTHS_AHEAD = 2

/** An hour's tokens in one statement could take longer than a statement may; 10,000 did on a machine that was busy. */
const PRUNE_AT_ONCE = 2_000
/** By the earlier of two clocks: one that is ahead must not make tokens usable again. */
const PRUNE: readonly PreparedStatement[] = ['used_tokens', 'explained_tokens', 'revoked_tokens'].map(
  (table) => ({
    name: `prune-${table}`,
    text: `
    with mine as materialized (select pg_try_advisory_xact_lock(hashtext('claimgate.pruning')) as alone),
    pruned as (
      delete from ${table}
        where (select alone from mine) and ctid = any (
          array(select ctid from ${table} where keep_until < least($1::timestamptz, now()) limit $2))
        returning decision_id
    )
    select count(*)::integer as pruned from pruned`,
  }),
)

const ALLOWED_EXCHANGE = sql<boolean>`outcome = 'ALLOWED' and kind = 'EXCHANGE'`
/** In a verdict's text, whose members have one order; within its texts a double quote is escaped. */
const MET_RULE = String.raw`\{"id":"([A-Za-z0-9_-]+)","title":"(?:[^"\\]|\\.)*","met":true,`

const RETIRE: PreparedStatement = {
  name: 'retire-decision-partition',
  text: 'select retire_decision_partition($1) as name',
}

export function createDecisionStore(db: Database): DecisionStore {
  return {
    async list(query) {
      if (contradictsItself(query)) return []
      return page(db, query).selectAll().execute()
    },

    async listReplayable(query) {
      if (contradictsItself(query)) return []
      return page(db, query).select(REPLAYABLE).execute()
    },

    async sampleReplayable(filter, ids) {
      const points = sql<{ point: string }>`unnest(${ids}::uuid[])`.as<'points'>(sql`points(point)`)
      return db.kysely
        .selectFrom(points)
        .innerJoinLateral(
          filtered(db, filter)
            .select(REPLAYABLE)
            .where('verdict', 'is not', null)
            .where(sql<boolean>`decisions.id >= points.point`)
            .orderBy('id')
            .limit(1)
            .as('found'),
          (join) => join.onTrue(),
        )
        .select(REPLAYABLE.map((column) => `found.${column}` as const))
        .distinctOn('found.id')
        .orderBy('found.id')
        .execute()
    },

    async listAllowed({ identity, identityId, before, limit }) {
      // Filtered in what is answered, so that no page takes long because of what it passes over.
      const ofAllowed = (column: 'claims' | 'verdict') =>
        sql<
          string | null
        >`case when identity_id = ${identityId} and ${ALLOWED_EXCHANGE} then ${sql.ref(column)} end`.as(
          column,
        )
      return page(db, { identity, isOfExchanges: true, before, limit })
        .select(['id', ofAllowed('claims'), ofAllowed('verdict')])
        .execute()
    },

    async findMetRules({ identity, identityId, before, since, limit }) {
      const looked = page(db, { identity, isOfExchanges: true, before, since, limit }).select([
        'id',
        sql<string>`case when identity_id = ${identityId} and ${ALLOWED_EXCHANGE} then verdict end`.as(
          'verdict',
        ),
      ])
      const row = await db.kysely
        .with('looked', () => looked)
        .selectNoFrom([
          sql<string | null>`(select id from looked order by id limit 1)`.as('lastId'),
          sql<string[]>`array(
            select distinct met[1] from looked, regexp_matches(verdict, ${MET_RULE}, 'g') met)`.as('rules'),
        ])
        .executeTakeFirstOrThrow()
      return { rules: row.rules, lastId: row.lastId ?? undefined }
    },

    async hasAtMost(count, query) {
      const next = page(db, { ...query, limit: 1 })
        .select('id')
        .offset(count)
      return (await next.executeTakeFirst()) === undefined
    },

    async findRange(filter) {
      const end = (order: 'asc' | 'desc') =>
        filtered(db, filter).select('id').orderBy('id', order).limit(1).executeTakeFirst()
      const [first, last] = [await end('asc'), await end('desc')]
      return first && last && { first: first.id, last: last.id }
    },

    get: (id) => db.kysely.selectFrom('decisions').selectAll().where('id', '=', id).executeTakeFirst(),

    async findEarlierUse(issuerUrl, jtiHash) {
      const used = await db.kysely
        .selectFrom('used_tokens')
        .select(['decision_id', 'use_time'])
        .where('issuer_url', '=', issuerUrl)
        .where('jti_hash', '=', Buffer.from(jtiHash, 'hex'))
        .executeTakeFirst()
      return used && { decisionId: used.decision_id, useTime: used.use_time.getTime() }
    },

    async insertSummaries(rows) {
      if (rows.length === 0) return
      await db.kysely
        .insertInto('decisions')
        .values(rows.map(summaryRow))
        .onConflict((conflict) => conflict.column('id').doNothing())
        .execute()
    },

    async ensurePartitions(nowMs) {
      await db.run({ name: 'ensure-partitions', text: 'select ensure_decision_partitions($1, $2)' }, [
        new Date(nowMs).toISOString(),
        MONTHS_AHEAD,
      ])
      const [stray] = await db.run<{ found: boolean }>(
        { name: 'stray-decisions', text: 'select exists (select from decisions_default) as found' },
        [],
      )
      return { strayRows: stray?.found === true }
    },

    async retentionDays() {
      const row = await db.kysely.selectFrom('decision_retention').select('days').executeTakeFirst()
      return row?.days
    },

    async retire(nowMs) {
      const now = new Date(nowMs).toISOString()
      const retired: string[] = []
      for (;;) {
        // One at a time: each holds up recording only for as long as its own table takes to go.
        const [row] = await db.run<{ name: string | null }>(RETIRE, [now])
        if (row?.name == null) return retired
        retired.push(row.name)
      }
    },

    async pruneUsedTokens(nowMs) {
      const now = new Date(nowMs).toISOString()
      for (const statement of PRUNE) {
        for (let pruned = PRUNE_AT_ONCE; pruned === PRUNE_AT_ONCE; ) {
          const [row] = await db.run<{ pruned: number }>(statement, [now, PRUNE_AT_ONCE])
          pruned = row?.pruned ?? 0
        }
      }
    },
  }
}

function page(db: Database, query: DecisionQuery) {
  const { before, after } = query
  let select = filtered(db, query)
    .orderBy('id', query.oldestFirst ? 'asc' : 'desc')
    .limit(query.limit)
  if (before !== undefined) select = select.where('id', '<', before)
  if (after !== undefined) select = select.where('id', '>', after)
  return select
}

function filtered(db: Database, filter: DecisionFilter) {
  const { reason, since, until } = filter
  let select = db.kysely.selectFrom('decisions')
  for (const [column, value] of columnsOf(filter)) select = select.where(column, '=', value)
  // Reasons are indexed where something was refused; an index on 'allowed' would hold nearly all there is.
  if (reason !== undefined) select = select.where('outcome', reason === 'allowed' ? '=' : '<>', 'ALLOWED')
  if (filter.isOfExchanges) select = select.where('kind', '<>', 'ACCESS')
  // Partitions are cut by ids, so those outside of the times are not even looked at.
  if (since !== undefined) select = select.where('id', '>=', firstIdAt(since))
  if (until !== undefined) select = select.where('id', '<', firstIdAt(until))
  return select
}

function contradictsItself({ outcome, reason }: DecisionFilter): boolean {
  return outcome !== undefined && reason !== undefined && outcome !== OUTCOME_OF[reason]
}

function columnsOf(filter: DecisionFilter) {
  const columns = [
    ['identity', filter.identity],
    ['outcome', filter.outcome],
    ['reason', filter.reason],
    ['kind', filter.kind],
    ['project_path', filter.projectPath],
    ['project', filter.project],
    ['resource_type', filter.resourceType],
    ['resource_id', filter.resourceId],
  ] as const
  return columns.flatMap(([column, value]) => (value === undefined ? [] : [[column, value] as const]))
}

function summaryRow(summary: AttemptSummary) {
  return {
    id: summary.id,
    kind: summary.kind,
    outcome: summary.outcome,
    reason: summary.reason,
    issuer_url: summary.issuerUrl,
    claims: summary.claims,
    caller_ip: summary.callerIp,
    decide_time: new Date(summary.decideTime),
    count: summary.count,
  }
}
