import { randomUUID } from 'node:crypto'
import { type Kysely, type Selectable, sql } from 'kysely'
import type { Database } from '../db/database.ts'
import type { Schema, WorkloadIdentityTable } from '../db/schema.ts'
import type { SubjectTokenUse, WorkloadIdentityConfig, WorkloadIdentitySpec } from './workload-identity.ts'

/** An identity as it is stored. `id` is never used again; `revision` changes with every change. */
export type StoredIdentity = WorkloadIdentitySpec & {
  readonly id: string
  readonly email: string
  readonly state: 'ACTIVE' | 'DISABLED' | 'DELETED'
  readonly policyDigest: string
  readonly revision: string
  readonly createTime: Date
  readonly updateTime: Date
}

export type NewIdentity = {
  readonly email: string
  readonly spec: WorkloadIdentitySpec
  readonly issuerId: string
  readonly policyDigest: string
}

export type IdentityStore = {
  /** The identity that has this email now: the living one, or else the one deleted last. */
  find(email: string): Promise<StoredIdentity | undefined>
  /** The identity that a recorded decision was made for, as it is now. */
  findByDecision(decisionId: string): Promise<StoredIdentity | undefined>
  /** Soft: the identity stays, with state DELETED. False where there is no living one. */
  remove(email: string, now: Date): Promise<boolean>
}

export function createIdentityStore(db: Database): IdentityStore {
  return {
    async find(email) {
      const row = await db.kysely
        .selectFrom('workload_identities')
        .selectAll()
        .where('email', '=', email)
        .where('superseded', '=', false)
        .executeTakeFirst()
      return row && fromRow(row)
    },

    async findByDecision(decisionId) {
      const row = await db.kysely
        .selectFrom('decisions')
        .innerJoin('workload_identities', 'workload_identities.id', 'decisions.identity_id')
        .selectAll('workload_identities')
        .where('decisions.id', '=', decisionId)
        .where('decisions.outcome', '=', 'ALLOWED')
        .executeTakeFirst()
      return row && fromRow(row)
    },

    async remove(email, now) {
      const result = await db.kysely
        .updateTable('workload_identities')
        .set({ state: 'DELETED', revision: sql`nextval('revisions')`, update_time: now })
        .where('email', '=', email)
        .where('state', '<>', 'DELETED')
        .executeTakeFirst()
      return result.numUpdatedRows > 0n
    },
  }
}

/**
 * Adds an identity. One that was deleted under the same email is superseded: it can then not be brought back.
 * Throws the database's unique violation where a living one has the email.
 */
export async function insertIdentity(
  trx: Kysely<Schema>,
  identity: NewIdentity,
  now: Date,
): Promise<StoredIdentity> {
  const { spec } = identity
  await trx
    .updateTable('workload_identities')
    .set({ superseded: true })
    .where('email', '=', identity.email)
    .where('state', '=', 'DELETED')
    .execute()
  const row = await trx
    .insertInto('workload_identities')
    .values({
      id: randomUUID(),
      email: identity.email,
      title: spec.title,
      state: 'ACTIVE',
      token_lifetime_seconds: spec.tokenLifetimeSeconds,
      subject_token_use: spec.subjectTokenUse,
      token_audiences: JSON.stringify(spec.tokenAudiences),
      recorded_claims: JSON.stringify(spec.recordedClaims),
      config: JSON.stringify(spec.workloadIdentityConfig),
      issuer_id: identity.issuerId,
      policy_digest: identity.policyDigest,
      create_time: now,
      update_time: now,
    })
    .returningAll()
    .executeTakeFirstOrThrow()
  return fromRow(row)
}

/** The unique index that a second living identity under one email runs into. */
export const EMAIL_TAKEN = 'workload_identities_one_current_per_email'

function fromRow(row: Selectable<WorkloadIdentityTable>): StoredIdentity {
  return {
    id: row.id,
    email: row.email,
    title: row.title,
    state: row.state as StoredIdentity['state'],
    tokenLifetimeSeconds: row.token_lifetime_seconds,
    subjectTokenUse: row.subject_token_use as SubjectTokenUse,
    tokenAudiences: row.token_audiences,
    recordedClaims: row.recorded_claims,
    workloadIdentityConfig: row.config as WorkloadIdentityConfig,
    policyDigest: row.policy_digest,
    revision: row.revision,
    createTime: row.create_time,
    updateTime: row.update_time,
  }
}
