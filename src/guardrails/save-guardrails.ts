import type { Clock } from '../clock.ts'
import { checkRevision, type IfMatch } from '../db/check-revision.ts'
import type { Database } from '../db/database.ts'
import type { Authorship } from '../fields/authorship.ts'
import type { insertPolicy } from '../policy/policy-store.ts'
import type { PrepareGuardrails } from '../policy/prepare-guardrails.ts'
import type { GuardrailsTest } from '../policy/test-guardrails.ts'
import type { Guardrails, GuardrailsSpec } from './guardrails.ts'
import type { GuardrailsBody } from './guardrails-schema.ts'
import { insertGuardrails, lockGuardrails } from './guardrails-store.ts'

export type SaveGuardrailsDeps = {
  readonly db: Database
  readonly clock: Clock
  readonly prepareGuardrails: PrepareGuardrails
  readonly insertPolicy: typeof insertPolicy
}

/** Guardrails that are to be saved, and the etags that they are for. */
export type GuardrailsChange = {
  readonly spec: GuardrailsSpec
  readonly etag?: string | undefined
  readonly ifMatch: IfMatch
}

/** What a body asks for: without source there are no guardrails, and no tests either. */
export function guardrailsIn({ source, tests = [] }: GuardrailsBody): GuardrailsSpec {
  // What was parsed of JSON holds nothing else.
  return { source, tests: source === '' ? [] : (tests as readonly GuardrailsTest[]) }
}

/**
 * Makes these the guardrails of every exchange from the next one on, as a new version. Throws `invalid_argument` with
 * the problems of the Rego or the tests that it fails, `aborted` where the etag is another by now.
 */
export async function saveGuardrails(
  { db, clock, prepareGuardrails, insertPolicy }: SaveGuardrailsDeps,
  { spec, etag, ifMatch }: GuardrailsChange,
  authorship: Authorship,
): Promise<Guardrails> {
  const { source, tests } = spec
  // Before the row is locked, which every other save would wait for.
  const prepared = source === '' ? undefined : await prepareGuardrails(source, tests)
  return db.kysely.transaction().execute(async (trx) => {
    const now = new Date(clock())
    const current = await lockGuardrails(trx)
    checkRevision(current.revision, ifMatch, etag)
    if (prepared?.policy !== undefined) await insertPolicy(trx, prepared.policy, now)
    return insertGuardrails(trx, { ...spec, digest: prepared?.digest ?? null }, authorship, now)
  })
}
