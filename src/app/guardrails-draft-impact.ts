import { RequestError } from '../errors.ts'
import { existingGuardrailsDraft } from '../guardrails/draft-guardrails.ts'
import { GUARDRAILS, guardrailsOf } from '../guardrails/guardrails.ts'
import { noticeRemovedTests } from '../guardrails/notice-removed-tests.ts'
import type { MeasuredImpact } from '../http/impact-json.ts'
import { joinVerdicts } from '../policy/check-verdict.ts'
import type { DraftStore } from '../policy/draft-store.ts'
import type { Verdict } from '../policy/verdict.ts'
import type { FailingTests } from '../policy-test/find-failing-tests.ts'
import type { MeasureDraft } from './draft-impact.ts'
import type { Parts } from './parts.ts'
import type { SearchFailingTests } from './search-failing-tests.ts'

/** What the draft of the guardrails would do, to one identity or to all. */
export function guardrailsDraftImpact(
  { identities, guardrails }: Parts,
  drafts: DraftStore,
  measureDraft: MeasureDraft,
  searchFailingTests: SearchFailingTests,
): (
  identity: string | undefined,
  days: number,
  caller: AbortSignal,
) => Promise<MeasuredImpact & { readonly failingTests: FailingTests | undefined }> {
  return async (identity, days, caller) => {
    const draft = await existingGuardrailsDraft({ drafts })
    if (identity !== undefined && (await identities.find(identity)) === undefined) {
      throw new RequestError('not_found', 'There is no such workload identity.')
    }
    const { policyDigest } = draft
    const policies = policyDigest === null ? undefined : { digest: undefined, guardrailsDigest: policyDigest }
    const current = await guardrails.current()
    const notices = noticeRemovedTests(current, guardrailsOf(draft), 'would be removed')
    const impact = await measureDraft(
      { subject: GUARDRAILS, draft, days, identity, policies, join: besideRecordedPolicy, notices },
      caller,
    )
    const isLeftOut = (email: string) => identity !== undefined && email !== identity
    const digests = { before: current.digest, after: policyDigest }
    return { ...impact, failingTests: await searchFailingTests(digests, { caller, isLeftOut }) }
  }
}

/** What the identity's policy said stands. The roles that it would have given are not in the verdict of a denial. */
export function besideRecordedPolicy(recorded: Verdict, { allow, guardrails }: Verdict): Verdict {
  const ownAllow = recorded.rules.some(({ met }) => met) && recorded.conditions.every(({ met }) => met)
  return joinVerdicts({ ...recorded, allow: ownAllow }, { allow, guardrails })
}
