import type { Insertable, Selectable } from 'kysely'
import type { Database } from '../db/database.ts'
import type { ChangeTable } from '../db/schema.ts'
import type { InsertChange } from './change.ts'
import type { RefusedAttempt } from './record-refusals.ts'

export type StoredChange = Selectable<ChangeTable>

/** What changes are looked for by; all that is given must hold. Times in milliseconds since the epoch. */
export type ChangeFilter = {
  readonly resource?: string | undefined
  readonly author?: string | undefined
  readonly outcome?: 'DONE' | 'REFUSED' | undefined
  readonly since?: number | undefined
  /** Exclusive. */
  readonly until?: number | undefined
}

/** `before` an id: only changes older than that. */
export type ChangeQuery = ChangeFilter & { readonly before: string | undefined; readonly limit: number }

export type ChangeStore = {
  /** Newest first. */
  list(query: ChangeQuery): Promise<readonly StoredChange[]>
  get(id: string): Promise<StoredChange | undefined>
  /** Adds attempts that were refused; one that is there already stays as it is. Committed when it returns. */
  insertRefusals(rows: readonly RefusedRow[]): Promise<void>
}

/** An attempt, or `count` of them. */
export type RefusedRow = RefusedAttempt & {
  readonly id: string
  readonly count: number
  readonly createTime: number
}

/** `firstIdAt` gives the least id that a change of a time, in milliseconds, can have. */
export function createChangeStore(db: Database, firstIdAt: (timeMs: number) => string): ChangeStore {
  const select = () => db.kysely.selectFrom('changes').selectAll()
  return {
    async list({ resource, author, outcome, since, until, before, limit }) {
      let page = select().orderBy('id', 'desc').limit(limit)
      if (resource !== undefined) page = page.where('resource', '=', resource)
      if (author !== undefined) page = page.where('author', '=', author)
      if (outcome !== undefined) page = page.where('outcome', '=', outcome)
      if (since !== undefined) page = page.where('id', '>=', firstIdAt(since))
      if (until !== undefined) page = page.where('id', '<', firstIdAt(until))
      if (before !== undefined) page = page.where('id', '<', before)
      return page.execute()
    },
    get: (id) => select().where('id', '=', id).executeTakeFirst(),
    async insertRefusals(rows) {
      await db.kysely
        .insertInto('changes')
        .values(rows.map(refusedColumns))
        .onConflict((conflict) => conflict.column('id').doNothing())
        .execute()
    },
  }
}

/** `newId` makes UUIDv7 ids that rise from call to call. */
export function createInsertChange(newId: (timeMs: number) => string): InsertChange {
  return async (trx, { verb, resource, before, after }, { author, reason, requestId, callerIp }, now) => {
    await trx
      .insertInto('changes')
      .values({
        id: newId(now.getTime()),
        outcome: 'DONE',
        author,
        verb,
        resource,
        before: before === undefined ? null : JSON.stringify(before),
        after: after === undefined ? null : JSON.stringify(after),
        reason: reason ?? null,
        request_id: requestId ?? null,
        caller_ip: callerIp ?? null,
        create_time: now,
      })
      .execute()
  }
}

function refusedColumns({ requestId, callerIp, createTime, ...row }: RefusedRow): Insertable<ChangeTable> {
  return {
    ...row,
    outcome: 'REFUSED',
    request_id: requestId,
    caller_ip: callerIp,
    create_time: new Date(createTime),
  }
}
