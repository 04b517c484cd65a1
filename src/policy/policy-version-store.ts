import type { Selectable } from 'kysely'
import type { Database } from '../db/database.ts'
import type { PolicyChange } from '../db/insert-policy-version.ts'
import type { PolicyVersionTable } from '../db/schema.ts'

/** What a save made of a policy's subject. */
export type PolicyVersion = {
  readonly number: number
  readonly change: PolicyChange
  /** The version that a ROLLBACK went back to. */
  readonly restoredNumber: number | null
  readonly author: string
  readonly reason: string | null
  readonly state: string
  /** What its author decided, with every default written out. */
  readonly resource: Readonly<Record<string, unknown>>
  readonly policyDigest: string | null
  readonly createTime: Date
}

export type PolicyVersionStore = {
  /** Newest first; `before` a number, if given. */
  list(
    subject: string,
    query: { readonly before: number | undefined; readonly limit: number },
  ): Promise<readonly PolicyVersion[]>
  get(subject: string, number: number): Promise<PolicyVersion | undefined>
  /** The one that counted at a time. */
  findAt(subject: string, time: Date): Promise<PolicyVersion | undefined>
}

export function createPolicyVersionStore(db: Database): PolicyVersionStore {
  const of = (subject: string) =>
    db.kysely.selectFrom('policy_versions').selectAll().where('subject', '=', subject)
  return {
    async list(subject, { before, limit }) {
      let select = of(subject).orderBy('number', 'desc').limit(limit)
      if (before !== undefined) select = select.where('number', '<', before)
      return (await select.execute()).map(fromRow)
    },
    async get(subject, number) {
      const row = await of(subject).where('number', '=', number).executeTakeFirst()
      return row && fromRow(row)
    },
    async findAt(subject, time) {
      const select = of(subject).where('create_time', '<=', time).orderBy('number', 'desc').limit(1)
      const row = await select.executeTakeFirst()
      return row && fromRow(row)
    },
  }
}

function fromRow(row: Selectable<PolicyVersionTable>): PolicyVersion {
  return {
    number: row.number,
    change: row.change as PolicyChange,
    restoredNumber: row.restored_number,
    author: row.author,
    reason: row.reason,
    state: row.state,
    resource: row.resource as PolicyVersion['resource'],
    policyDigest: row.policy_digest,
    createTime: row.create_time,
  }
}
