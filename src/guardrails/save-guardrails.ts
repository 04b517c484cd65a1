import type { RecordChange } from '../change/change.ts'
import type { Clock } from '../clock.ts'
import { checkRevision, type IfMatch } from '../db/check-revision.ts'
import type { Database } from '../db/database.ts'
import type { Authorship } from '../fields/authorship.ts'
import type { insertPolicy } from '../policy/policy-store.ts'
import type { PrepareGuardrails } from '../policy/prepare-guardrails.ts'
import type { PreparedPolicy } from '../policy/prepare-policy.ts'
import type { GuardrailsTest } from '../policy/test-guardrails.ts'
import type { Guardrails, GuardrailsSpec } from './guardrails.ts'
import type { GuardrailsBody } from './guardrails-schema.ts'
import { insertGuardrails, lockGuardrails } from './guardrails-store.ts'
import { noticeRemovedTests } from './notice-removed-tests.ts'

export type SaveGuardrailsDeps = {
  readonly db: Database
  readonly clock: Clock
  readonly prepareGuardrails: PrepareGuardrails
  readonly insertPolicy: typeof insertPolicy
  readonly recordGuardrails: RecordChange<Guardrails>
}

/** Guardrails that are to be saved, and the etags that they are for. */
export type GuardrailsChange = {
  readonly spec: GuardrailsSpec
  readonly etag?: string | undefined
  readonly ifMatch: IfMatch
  /** What else is changed with them, in their transaction. */
  readonly andThen?: (trx: Database['kysely'], now: Date) => Promise<void>
}

/** What a save made of them, and what it did that its request did not say. */
export type GuardrailsSave = { readonly guardrails: Guardrails; readonly notices: readonly string[] }

/** What a body asks for: without source there are no guardrails, and no tests either. */
export function guardrailsIn({
  source,
  tests = [],
}: Pick<GuardrailsBody, 'source' | 'tests'>): GuardrailsSpec {
  // What was parsed of JSON holds nothing else.
  return { source, tests: source === '' ? [] : (tests as readonly GuardrailsTest[]) }
}

/**
 * Makes these the guardrails of every exchange from the next one on, as a new version. Throws `invalid_argument` with
 * the problems of the Rego or the tests that it fails, `aborted` where the etag is another by now.
 */
export async function saveGuardrails(
  deps: SaveGuardrailsDeps,
  { spec, etag, ifMatch, andThen }: GuardrailsChange,
  authorship: Authorship,
): Promise<GuardrailsSave> {
  // Before the row is locked, which every other save would wait for.
  const policy = await prepareSave(deps, spec)
  return deps.db.kysely.transaction().execute(async (trx) => {
    const current = await lockGuardrails(trx)
    checkRevision(current.revision, ifMatch, etag)
    const now = new Date(deps.clock())
    const saved = await writeGuardrails(deps, trx, { current, spec, policy }, authorship, now)
    await andThen?.(trx, now)
    return saved
  })
}

/** All of a save that takes long or may be refused; undefined where there are to be none. */
export async function prepareSave(
  { prepareGuardrails }: Pick<SaveGuardrailsDeps, 'prepareGuardrails'>,
  { source, tests }: GuardrailsSpec,
): Promise<PreparedPolicy | undefined> {
  return source === '' ? undefined : prepareGuardrails(source, tests)
}

/** Saves what was prepared; `current` is locked. */
export async function writeGuardrails(
  { insertPolicy, recordGuardrails }: Pick<SaveGuardrailsDeps, 'insertPolicy' | 'recordGuardrails'>,
  trx: Database['kysely'],
  {
    current,
    spec,
    policy,
  }: {
    readonly current: Guardrails
    readonly spec: GuardrailsSpec
    readonly policy: PreparedPolicy | undefined
  },
  authorship: Authorship,
  now: Date,
): Promise<GuardrailsSave> {
  if (policy?.policy !== undefined) await insertPolicy(trx, policy.policy, now)
  const guardrails = await insertGuardrails(trx, { ...spec, digest: policy?.digest ?? null }, authorship, now)
  const verb = authorship.change ?? 'UPDATE'
  await recordGuardrails(trx, { verb, before: current, after: guardrails }, authorship, now)
  return { guardrails, notices: noticeRemovedTests(current, spec, 'are removed') }
}
