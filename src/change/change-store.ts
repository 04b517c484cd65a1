import type { InsertChange } from './change.ts'

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
