import type { Database } from '../db/database.ts'
import type { Authorship } from '../fields/authorship.ts'

/** What somebody made of a resource. */
export type Change = {
  /** What was done, in capitals: CREATE, UPDATE, DELETE, or the custom verb of the call. */
  readonly verb: string
  /** The resource's name. */
  readonly resource: string
  /** As the API shows it, without secrets; undefined where it was not there. */
  readonly before: object | undefined
  readonly after: object | undefined
}

/** Adds a change to what is kept for ever. Given the change's own transaction, so that there is neither without the other. */
export type InsertChange = (
  trx: Database['kysely'],
  change: Change,
  authorship: Authorship,
  now: Date,
) => Promise<void>

/** The same for one kind of resource, which is handed over as it is known here. */
export type RecordChange<Resource> = (
  trx: Database['kysely'],
  change: {
    readonly verb: string
    readonly before?: Resource | undefined
    readonly after?: Resource | undefined
  },
  authorship: Authorship,
  now: Date,
) => Promise<void>
