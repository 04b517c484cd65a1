import type { Selectable } from 'kysely'
import type { Database, PreparedStatement } from '../db/database.ts'
import type { DecisionTable } from '../db/schema.ts'
import type { DecisionKind, EarlierUse, Outcome, Reason } from './decision.ts'
import { firstIdAt } from './decision-id.ts'

export type StoredDecision = Selectable<DecisionTable>

/** What decisions are looked for by; all that is given must hold. Times in milliseconds since the epoch. */
export type DecisionFilter = {
  readonly identity?: string | undefined
  readonly outcome?: Outcome | undefined
  readonly reason?: Reason | undefined
  readonly kind?: DecisionKind | undefined
  /** In lower case. */
  readonly projectPath?: string | undefined
  readonly project?: string | undefined
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

export type DecisionStore = {
  list(query: DecisionQuery): Promise<readonly StoredDecision[]>
  get(id: string): Promise<StoredDecision | undefined>
  /** Who used this token before, where one did. `jtiHash` in hex. */
  findEarlierUse(issuerUrl: string, jtiHash: string): Promise<EarlierUse | undefined>
  /** Makes the partitions for `now`'s month and those ahead; true where rows fell outside all partitions. */
  ensurePartitions(nowMs: number): Promise<{ strayRows: boolean }>
  /** Forgets used tokens that can no longer be presented. */
  pruneUsedTokens(nowMs: number): Promise<void>
}

/** A month's notice is enough to mend what keeps the partitions from being made. */
const MONTHS_AHEAD = 2

/** An hour's tokens in one statement could take longer than a statement may. */
const PRUNE_AT_ONCE = 10_000
/** By the earlier of two clocks: one that is ahead must not make tokens usable again. */
const PRUNE: PreparedStatement = {
  name: 'prune-used-tokens',
  text: `
    with pruned as (
      delete from used_tokens
        where ctid = any (array(select ctid from used_tokens where keep_until < least($1::timestamptz, now()) limit $2))
        returning decision_id
    )
    select count(*)::integer as pruned from pruned`,
}

export function createDecisionStore(db: Database): DecisionStore {
  return {
    list(query) {
      const { since, until, before, after } = query
      let select = db.kysely
        .selectFrom('decisions')
        .selectAll()
        .orderBy('id', query.oldestFirst ? 'asc' : 'desc')
        .limit(query.limit)
      for (const [column, value] of columnsOf(query)) select = select.where(column, '=', value)
      // What an index on refusals or on rarer kinds alone holds, so that it is used.
      if (refusesByItself(query)) select = select.where('outcome', '<>', 'ALLOWED')
      // Partitions are cut by ids, so those outside of the times are not even looked at.
      if (since !== undefined) select = select.where('id', '>=', firstIdAt(since))
      if (until !== undefined) select = select.where('id', '<', firstIdAt(until))
      if (before !== undefined) select = select.where('id', '<', before)
      if (after !== undefined) select = select.where('id', '>', after)
      return select.execute()
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

    async pruneUsedTokens(nowMs) {
      const now = new Date(nowMs).toISOString()
      for (let pruned = PRUNE_AT_ONCE; pruned === PRUNE_AT_ONCE; ) {
        const [row] = await db.run<{ pruned: number }>(PRUNE, [now, PRUNE_AT_ONCE])
        pruned = row?.pruned ?? 0
      }
    },
  }
}

function columnsOf(filter: DecisionFilter) {
  const columns = [
    ['identity', filter.identity],
    ['outcome', filter.outcome],
    ['reason', filter.reason],
    ['kind', filter.kind],
    ['project_path', filter.projectPath],
    ['project', filter.project],
  ] as const
  return columns.flatMap(([column, value]) => (value === undefined ? [] : [[column, value] as const]))
}

function refusesByItself({ outcome, reason }: DecisionFilter): boolean {
  return (outcome !== undefined && outcome !== 'ALLOWED') || (reason !== undefined && reason !== 'allowed')
}
