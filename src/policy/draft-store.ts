import { type Kysely, type Selectable, sql } from 'kysely'
import type { RecordChange } from '../change/change.ts'
import type { Database } from '../db/database.ts'
import type { DraftTable, Schema } from '../db/schema.ts'
import type { Authorship } from '../fields/authorship.ts'

/** What is about to be made of a policy's subject. */
export type Draft = {
  /** What the subject would be, with every default written out. */
  readonly resource: Readonly<Record<string, unknown>>
  readonly policyDigest: string | null
  /** The subject's newest version when the draft was made: what it was made on; null where it had none. */
  readonly baseNumber: number | null
  /** The newest version that there is. */
  readonly newestNumber: number | null
  readonly author: string
  readonly revision: string
  /** The last impact that was worked out for it as it is; null where there is none. */
  readonly impactId: string | null
  readonly updateTime: Date
}

export type NewDraft = Pick<Draft, 'policyDigest' | 'author'> & {
  readonly subject: string
  readonly resource: object
}

export type DraftStore = {
  get(subject: string): Promise<Draft | undefined>
  /** Notes that an impact was worked out; false where the draft is another by now. */
  setImpact(subject: string, revision: string, impactId: string): Promise<boolean>
}

export function createDraftStore(db: Database): DraftStore {
  return {
    get: (subject) => findDraft(db.kysely, subject),
    async setImpact(subject, revision, impactId) {
      const result = await db.kysely
        .updateTable('drafts')
        .set({ impact_id: impactId })
        .where('subject', '=', subject)
        .where('revision', '=', revision)
        .executeTakeFirst()
      return result.numUpdatedRows > 0n
    },
  }
}

export async function findDraft(kysely: Kysely<Schema>, subject: string): Promise<Draft | undefined> {
  const row = await kysely
    .selectFrom('drafts')
    .selectAll()
    .select(newestNumber(subject).as('newest_number'))
    .where('subject', '=', subject)
    .executeTakeFirst()
  return row && fromRow(row)
}

/** Removes a draft, shown as `before`, and records that; nothing where it is gone or another by now. */
export type RemoveDraft<Shown> = (
  trx: Kysely<Schema>,
  draft: Pick<Draft, 'revision'> & { readonly subject: string },
  change: { readonly verb: string; readonly before: Shown },
  authorship: Authorship,
  now: Date,
) => Promise<void>

export function createRemoveDraft<Shown>(recordDraft: RecordChange<Shown>): RemoveDraft<Shown> {
  return async (trx, { subject, revision }, change, authorship, now) => {
    const { numDeletedRows } = await trx
      .deleteFrom('drafts')
      .where('subject', '=', subject)
      .where('revision', '=', revision)
      .executeTakeFirst()
    if (numDeletedRows > 0n) await recordDraft(trx, change, authorship, now)
  }
}

/** Puts a draft in the place of the one that there may be, on the subject's newest version. No impact is known of it. */
export async function writeDraft(trx: Kysely<Schema>, draft: NewDraft, now: Date): Promise<void> {
  const columns = {
    resource: JSON.stringify(draft.resource),
    policy_digest: draft.policyDigest,
    base_number: newestNumber(draft.subject),
    author: draft.author,
    revision: sql<string>`nextval('revisions')`,
    impact_id: null,
    update_time: now,
  }
  await trx
    .insertInto('drafts')
    .values({ subject: draft.subject, ...columns })
    .onConflict((conflict) => conflict.column('subject').doUpdateSet(columns))
    .execute()
}

function newestNumber(subject: string) {
  return sql<number | null>`(select max(number) from policy_versions where subject = ${subject})`
}

function fromRow(row: Selectable<DraftTable> & { newest_number: number | null }): Draft {
  return {
    resource: row.resource as Draft['resource'],
    policyDigest: row.policy_digest,
    baseNumber: row.base_number,
    newestNumber: row.newest_number,
    author: row.author,
    revision: row.revision,
    impactId: row.impact_id,
    updateTime: row.update_time,
  }
}
