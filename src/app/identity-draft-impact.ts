import { RequestError } from '../errors.ts'
import type { MeasuredImpact } from '../http/impact-json.ts'
import { existingDraft } from '../identity/draft-workload-identity.ts'
import { subjectOf } from '../identity/identity-store.ts'
import type { WorkloadIdentitySpec } from '../identity/workload-identity.ts'
import { joinVerdicts } from '../policy/check-verdict.ts'
import type { DraftStore } from '../policy/draft-store.ts'
import type { Verdict } from '../policy/verdict.ts'
import { PERSONAL_CLAIMS } from '../provider/providers.ts'
import type { MeasureDraft } from './draft-impact.ts'
import type { Parts } from './parts.ts'

/** What the draft of an identity would do. */
export function identityDraftImpact(
  { identities }: Parts,
  drafts: DraftStore,
  measureDraft: MeasureDraft,
): (email: string, days: number, caller: AbortSignal) => Promise<MeasuredImpact> {
  return async (email, days, caller) => {
    const identity = await identities.find(email)
    if (identity === undefined) throw new RequestError('not_found', 'There is no such workload identity.')
    const draft = await existingDraft({ drafts }, identity)
    return measureDraft(
      {
        subject: subjectOf(identity),
        draft,
        days,
        identity: email,
        policies: { digest: draft.policyDigest ?? '', guardrailsDigest: undefined },
        join: besideRecordedGuardrails,
        notices: beyondThePolicy(identity, draft.resource as unknown as WorkloadIdentitySpec),
      },
      caller,
    )
  }
}

/** Guardrails are a policy of their own: what they said stands. */
export function besideRecordedGuardrails({ guardrails }: Verdict, drafted: Verdict): Verdict {
  return joinVerdicts(drafted, { allow: guardrails.every(({ met }) => met), guardrails })
}

/** What a replay of the policy alone cannot tell. */
export function beyondThePolicy(
  before: WorkloadIdentitySpec,
  after: WorkloadIdentitySpec,
): readonly string[] {
  const beside = (['issuerUrl', 'allowedAudiences'] as const).filter(
    (field) =>
      JSON.stringify(before.workloadIdentityConfig[field]) !==
      JSON.stringify(after.workloadIdentityConfig[field]),
  )
  const demanded = new Set(after.workloadIdentityConfig.rules.flatMap(({ claims }) => Object.keys(claims)))
  const personal = PERSONAL_CLAIMS.filter(
    (name) => demanded.has(name) && !before.recordedClaims.includes(name),
  )
  return [
    ...beside.map(
      (field) =>
        `workloadIdentityConfig.${field}: is no part of the policy, so its change is not in these numbers`,
    ),
    ...personal.map(
      (name) =>
        `${name}: is a personal claim that was not recorded, so rules that demand it are not met by any of these decisions`,
    ),
  ]
}
