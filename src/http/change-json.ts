import { z } from 'zod'
import type { StoredChange } from '../change/change-store.ts'

const resource = z.record(z.string(), z.unknown()).nullable()

export const changeAnswer = z
  .strictObject({
    name: z.string().meta({ description: '`changes/` and a UUIDv7.' }),
    outcome: z.enum(['DONE', 'REFUSED']),
    author: z.string().meta({
      description:
        '`adminTokens/ID`, `workloadIdentities/EMAIL`, `operator` by the command line, or `claimgate` by itself.',
    }),
    verb: z.string().meta({ description: 'CREATE, UPDATE, DELETE, or the custom verb of the call.' }),
    resource: z.string().meta({ description: "The resource's name." }),
    before: resource.meta({ description: 'As it was answered before; null where it was not there.' }),
    after: resource.meta({
      description: 'As it is answered after; a softly deleted one is there. Secrets never.',
    }),
    reason: z.string().nullable().meta({ description: 'What the author gave as reason.' }),
    code: z
      .int()
      .nullable()
      .meta({ description: 'Of a refused attempt: the code of its answer, as google.rpc.Code has it.' }),
    message: z.string().nullable().meta({ description: 'Of a refused attempt: what its answer said.' }),
    requestId: z.string().nullable(),
    callerIp: z.string().nullable(),
    count: z.int().meta({
      description:
        'More than 1 where one author was refused so often within a minute that one row stands for many attempts, of which it shows the first.',
    }),
    createTime: z.iso.datetime(),
  })
  .meta({ id: 'Change', description: 'Who changed what, or was refused to.' })

/** A change as it is answered. */
export function changeJson(row: StoredChange) {
  return {
    name: `changes/${row.id}`,
    outcome: row.outcome,
    author: row.author,
    verb: row.verb,
    resource: row.resource,
    before: row.before,
    after: row.after,
    reason: row.reason,
    code: row.code,
    message: row.message,
    requestId: row.request_id,
    callerIp: row.caller_ip,
    count: row.count,
    createTime: row.create_time.toISOString(),
  }
}
