import type { Clock } from '../clock.ts'
import { checkRevision, type IfMatch } from '../db/check-revision.ts'
import type { Database } from '../db/database.ts'
import type { insertPolicy } from '../policy/policy-store.ts'
import type { PrepareGuardrails } from '../policy/prepare-guardrails.ts'
import type { GuardrailsTest } from '../policy/test-guardrails.ts'
import type { Guardrails } from './guardrails.ts'
import type { GuardrailsBody } from './guardrails-schema.ts'
import { insertGuardrails, lockGuardrails } from './guardrails-store.ts'

export type SaveGuardrailsDeps = {
  readonly db: Database
  readonly clock: Clock
  readonly prepareGuardrails: PrepareGuardrails
  readonly insertPolicy: typeof insertPolicy
}

/**
 * Makes these the guardrails of every exchange from the next one on, as a new version; without source there are none,
 * and no tests either. Throws `invalid_argument` with the problems of the Rego or the tests that it fails, `aborted`
 * where the etag is another by now.
 */
export async function saveGuardrails(
  { db, clock, prepareGuardrails, insertPolicy }: SaveGuardrailsDeps,
  body: GuardrailsBody,
  { author, ifMatch }: { readonly author: string; readonly ifMatch: IfMatch },
): Promise<Guardrails> {
  const { source, etag } = body
  // What was parsed of JSON holds nothing else.
  const tests = source === '' ? [] : ((body.tests ?? []) as readonly GuardrailsTest[])
  // Before the row is locked, which every recording statement would wait for.
  const prepared = source === '' ? undefined : await prepareGuardrails(source, tests)
  return db.kysely.transaction().execute(async (trx) => {
    const now = new Date(clock())
    const current = await lockGuardrails(trx)
    checkRevision(current.revision, ifMatch, etag)
    if (prepared?.policy !== undefined) await insertPolicy(trx, prepared.policy, now)
    return insertGuardrails(trx, { source, tests, digest: prepared?.digest ?? null, author }, now)
  })
}
