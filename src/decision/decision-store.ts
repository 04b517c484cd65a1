import type { Selectable } from 'kysely'
import type { Database, PreparedStatement } from '../db/database.ts'
import type { DecisionTable } from '../db/schema.ts'
import type { AttemptSummary } from './attempt-summaries.ts'
import type { EarlierUse, Outcome } from './decision.ts'

export type StoredDecision = Selectable<DecisionTable>

/** `before`: only decisions older than this id. Newest first. */
export type DecisionQuery = {
  readonly identity?: string | undefined
  readonly outcome?: Outcome | undefined
  readonly before?: string | undefined
  readonly limit: number
}

export type DecisionStore = {
  list(query: DecisionQuery): Promise<readonly StoredDecision[]>
  get(id: string): Promise<StoredDecision | undefined>
  /** Who used this token before, where one did. `jtiHash` in hex. */
  findEarlierUse(issuerUrl: string, jtiHash: string): Promise<EarlierUse | undefined>
  /** Adds rows that each stand for many attempts; one that is there already stays as it is. */
  insertSummaries(rows: readonly AttemptSummary[]): Promise<void>
  /** Makes the partitions for `now`'s month and those ahead; true where rows fell outside all partitions. */
  ensurePartitions(nowMs: number): Promise<{ strayRows: boolean }>
  /** Forgets used and explained tokens that can no longer be presented. */
  pruneUsedTokens(nowMs: number): Promise<void>
}

/** A month's notice is enough to mend what keeps the partitions from being made. */
const MONTHS_AHEAD = 2

/** An hour's tokens in one statement could take longer than a statement may. */
const PRUNE_AT_ONCE = 10_000
/** By the earlier of two clocks: one that is ahead must not make tokens usable again. */
const PRUNE: readonly PreparedStatement[] = ['used_tokens', 'explained_tokens'].map((table) => ({
  name: `prune-${table}`,
  text: `
    with pruned as (
      delete from ${table}
        where ctid = any (array(select ctid from ${table} where keep_until < least($1::timestamptz, now()) limit $2))
        returning decision_id
    )
    select count(*)::integer as pruned from pruned`,
}))

export function createDecisionStore(db: Database): DecisionStore {
  return {
    list(query) {
      let select = db.kysely.selectFrom('decisions').selectAll().orderBy('id', 'desc').limit(query.limit)
      if (query.identity !== undefined) select = select.where('identity', '=', query.identity)
      if (query.outcome !== undefined) select = select.where('outcome', '=', query.outcome)
      if (query.before !== undefined) select = select.where('id', '<', query.before)
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
