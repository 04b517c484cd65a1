import { type Kysely, sql } from 'kysely'
import type { Authorship } from '../fields/authorship.ts'
import type { Schema } from './schema.ts'

export type PolicyChange = 'CREATE' | 'UPDATE' | 'DELETE' | 'UNDELETE' | 'ROLLBACK' | 'ACTIVATION'

/** What a save made of a policy's subject; `resource` is what its author decides, with every default written out. */
export type NewPolicyVersion = {
  readonly subject: string
  readonly change: PolicyChange
  readonly state: string
  readonly resource: object
  readonly policyDigest: string | null
}

/**
 * Adds the version that a save makes, in the save's own transaction, whose lock on the subject orders the numbers.
 * Returns its number.
 */
export async function insertPolicyVersion(
  trx: Kysely<Schema>,
  { subject, change, state, resource, policyDigest }: NewPolicyVersion,
  { author, reason, restoredNumber }: Authorship,
  now: Date,
): Promise<number> {
  const { number } = await trx
    .insertInto('policy_versions')
    .values({
      subject,
      number: sql<number>`(select coalesce(max(number), 0) + 1 from policy_versions where subject = ${subject})`,
      change,
      restored_number: restoredNumber ?? null,
      author,
      reason: reason ?? null,
      state,
      resource: JSON.stringify(resource),
      policy_digest: policyDigest,
      create_time: now,
    })
    .returning('number')
    .executeTakeFirstOrThrow()
  return number
}
