import { type Kysely, sql } from 'kysely'
import type { Database } from '../db/database.ts'
import { insertPolicyVersion } from '../db/insert-policy-version.ts'
import type { Schema } from '../db/schema.ts'
import type { Authorship } from '../fields/authorship.ts'
import { GUARDRAILS, type Guardrails, type GuardrailsSpec } from './guardrails.ts'

export type GuardrailsStore = {
  /** Those that count now. */
  current(): Promise<Guardrails>
}

export function createGuardrailsStore(db: Database): GuardrailsStore {
  return {
    async current() {
      return fromRow(await selectCurrent(db.kysely).executeTakeFirstOrThrow())
    },
  }
}

/** Keeps the guardrails from changing until the transaction ends, and tells what they are now. */
export async function lockGuardrails(trx: Kysely<Schema>): Promise<Guardrails> {
  return fromRow(await selectCurrent(trx).forUpdate('guardrails').executeTakeFirstOrThrow())
}

/** Adds a version and makes it the one that counts; the guardrails are locked, their policy is stored. */
export async function insertGuardrails(
  trx: Kysely<Schema>,
  { source, tests, digest }: GuardrailsSpec & Pick<Guardrails, 'digest'>,
  authorship: Authorship,
  now: Date,
): Promise<Guardrails> {
  const version = await insertPolicyVersion(
    trx,
    {
      subject: GUARDRAILS,
      change: authorship.change ?? 'UPDATE',
      state: 'ACTIVE',
      resource: { source, tests },
      policyDigest: digest,
    },
    authorship,
    now,
  )
  await trx
    .updateTable('guardrails')
    .set({ version, revision: sql`nextval('revisions')`, update_time: now })
    .execute()
  return lockGuardrails(trx)
}

function selectCurrent(kysely: Kysely<Schema>) {
  return kysely
    .selectFrom('guardrails')
    .leftJoin('policy_versions', (join) =>
      join
        .onRef('policy_versions.subject', '=', 'guardrails.subject')
        .onRef('policy_versions.number', '=', 'guardrails.version'),
    )
    .select(['resource', 'policy_digest', 'revision', 'update_time'])
}

function fromRow(
  row: Awaited<ReturnType<ReturnType<typeof selectCurrent>['executeTakeFirstOrThrow']>>,
): Guardrails {
  const { source, tests } = (row.resource ?? NONE) as GuardrailsSpec
  return { source, tests, digest: row.policy_digest, revision: row.revision, updateTime: row.update_time }
}

const NONE: GuardrailsSpec = { source: '', tests: [] }
