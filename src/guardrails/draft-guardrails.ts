import type { RecordChange } from '../change/change.ts'
import { checkActivation } from '../db/check-draft.ts'
import { checkRevision, type IfMatch } from '../db/check-revision.ts'
import { RequestError } from '../errors.ts'
import type { Authorship } from '../fields/authorship.ts'
import type { Draft, DraftStore, findDraft, RemoveDraft, writeDraft } from '../policy/draft-store.ts'
import { GUARDRAILS, guardrailsOf } from './guardrails.ts'
import { type GuardrailsStore, lockGuardrails } from './guardrails-store.ts'
import { noticeRemovedTests } from './notice-removed-tests.ts'
import {
  type GuardrailsChange,
  type GuardrailsSave,
  type SaveGuardrailsDeps,
  saveGuardrails,
} from './save-guardrails.ts'

export type DraftGuardrailsDeps = SaveGuardrailsDeps & {
  readonly drafts: DraftStore
  readonly findDraft: typeof findDraft
  readonly writeDraft: typeof writeDraft
  readonly removeDraft: RemoveDraft<Draft>
  readonly recordDraft: RecordChange<Draft>
  readonly guardrails: GuardrailsStore
}

/** A draft that was saved a moment ago, and what its activation would do that its request did not say. */
export type SavedGuardrailsDraft = { readonly draft: Draft; readonly notices: readonly string[] }

/**
 * Drafts guardrails: compiled, and stored in the place of the draft that there may be. Nothing that decides is changed,
 * and no tests are run. `ifMatch` is about the draft, `etag` about the guardrails that there are. Throws as a save does.
 */
export async function draftGuardrails(
  deps: DraftGuardrailsDeps,
  { spec, etag, ifMatch }: GuardrailsChange,
  authorship: Authorship,
): Promise<SavedGuardrailsDraft> {
  const prepared = spec.source === '' ? undefined : await deps.prepareGuardrails(spec.source, [])
  return deps.db.kysely.transaction().execute(async (trx) => {
    const now = new Date(deps.clock())
    const current = await lockGuardrails(trx)
    checkRevision(current.revision, undefined, etag)
    const former = await deps.findDraft(trx, GUARDRAILS)
    if (ifMatch !== undefined) checkRevision(former?.revision ?? '', ifMatch)
    if (prepared?.policy !== undefined) await deps.insertPolicy(trx, prepared.policy, now)
    const policyDigest = prepared?.digest ?? null
    const { author } = authorship
    await deps.writeDraft(trx, { subject: GUARDRAILS, resource: spec, policyDigest, author }, now)
    const draft = existing(await deps.findDraft(trx, GUARDRAILS))
    const verb = former === undefined ? 'CREATE' : 'UPDATE'
    await deps.recordDraft(trx, { verb, before: former, after: draft }, authorship, now)
    return { draft, notices: noticeRemovedTests(current, spec, 'would be removed') }
  })
}

/**
 * Makes the draft the guardrails of every exchange from the next one on, as a save does. Refused unless somebody has
 * seen what it would do (`impactId`), and where the guardrails are others than the draft was made on.
 */
export async function activateGuardrailsDraft(
  deps: DraftGuardrailsDeps,
  impactId: string,
  ifMatch: IfMatch,
  authorship: Authorship,
): Promise<GuardrailsSave> {
  // Before the draft, so that what is saved between is not taken back.
  const { revision } = await deps.guardrails.current()
  const draft = await existingGuardrailsDraft(deps)
  checkRevision(draft.revision, ifMatch)
  checkActivation(draft, impactId, '/v1/guardrails/draft:impact')
  return saveGuardrails(
    deps,
    {
      spec: guardrailsOf(draft),
      ifMatch: [revision],
      async andThen(trx, now) {
        const change = { verb: 'ACTIVATION', before: draft }
        await deps.removeDraft(trx, { ...draft, subject: GUARDRAILS }, change, authorship, now)
      },
    },
    { ...authorship, change: 'ACTIVATION' },
  )
}

/** Throws the draft away. Throws `not_found` where there is none, `aborted` where its etag is another. */
export async function deleteGuardrailsDraft(
  deps: Pick<DraftGuardrailsDeps, 'db' | 'clock' | 'drafts' | 'removeDraft'>,
  ifMatch: IfMatch,
  authorship: Authorship,
): Promise<void> {
  const draft = await existingGuardrailsDraft(deps)
  checkRevision(draft.revision, ifMatch)
  await deps.db.kysely.transaction().execute(async (trx) => {
    const change = { verb: 'DELETE', before: draft }
    const now = new Date(deps.clock())
    await deps.removeDraft(trx, { ...draft, subject: GUARDRAILS }, change, authorship, now)
  })
}

/** Throws `not_found` where there is none. */
export async function existingGuardrailsDraft({
  drafts,
}: Pick<DraftGuardrailsDeps, 'drafts'>): Promise<Draft> {
  return existing(await drafts.get(GUARDRAILS))
}

function existing(draft: Draft | undefined): Draft {
  if (draft === undefined) throw new RequestError('not_found', 'There is no draft of the guardrails.')
  return draft
}
