import { randomUUID } from 'node:crypto'
import { type Impact, measureImpact } from '../decision/measure-impact.ts'
import { RequestError } from '../errors.ts'
import type { MeasuredImpact } from '../http/impact-json.ts'
import { checkBase, existingDraft } from '../identity/draft-workload-identity.ts'
import { subjectOf } from '../identity/identity-store.ts'
import type { WorkloadIdentitySpec } from '../identity/workload-identity.ts'
import type { Draft, DraftStore } from '../policy/draft-store.ts'
import { createBatchEvaluator } from '../policy/evaluate-batches.ts'
import { limitConcurrency } from '../policy/limit-concurrency.ts'
import { PERSONAL_CLAIMS } from '../provider/providers.ts'
import type { Parts } from './parts.ts'

const DAY_MS = 86_400_000
const MEASURE_WITHIN_MS = 45_000
/** As for an exchange: what takes longer there gives no verdict here either. */
const DEADLINE_MS = 100

/**
 * Measures what drafts would do, one at a time, in a thread that gives way to all others and ends with the work: an
 * exchange must not wait for it.
 */
export function createDraftImpact(
  parts: Parts,
  drafts: DraftStore,
): (email: string, days: number, caller: AbortSignal) => Promise<MeasuredImpact> {
  const { clock, identities } = parts
  const oneAtATime = limitConcurrency(1, 1, 'The impact of another draft is being worked out: ask again.')
  return async (email, days, caller) => {
    const identity = await identities.find(email)
    if (identity === undefined) throw new RequestError('not_found', 'There is no such workload identity.')
    const draft = await existingDraft({ drafts }, identity)
    checkBase(draft)
    const since = new Date(clock() - days * DAY_MS)
    const impact = await oneAtATime(() => measure(parts, email, draft, since, caller))
    const id = randomUUID()
    if (!(await drafts.setImpact(subjectOf(identity), draft.revision, id))) {
      throw new RequestError('aborted', 'The draft was changed meanwhile: look at its impact again.')
    }
    return {
      ...impact,
      id,
      since,
      notices: noticesOf(identity, draft.resource as unknown as WorkloadIdentitySpec),
    }
  }
}

async function measure(
  { policies, decisions, log }: Parts,
  email: string,
  { policyDigest }: Draft,
  since: Date,
  caller: AbortSignal,
): Promise<Impact> {
  const evaluator = createBatchEvaluator({
    loadWasm: policies.loadWasm,
    log,
    workers: 1,
    deadlineMs: DEADLINE_MS,
    maxPolicies: 1,
    isBackground: true,
  })
  const signal = AbortSignal.any([caller, AbortSignal.timeout(MEASURE_WITHIN_MS)])
  const stop = () => void evaluator.close()
  signal.addEventListener('abort', stop)
  try {
    const impact = await measureImpact(
      { evaluate: evaluator.evaluate, findProvider: policies.findProvider, decisions },
      {
        filter: { identity: email, since: since.getTime() },
        digest: policyDigest ?? '',
        // Guardrails are a policy of their own: what they said stands.
        join: ({ guardrails }, { allow, roles }) => {
          const isAllowed = allow && guardrails.every(({ met }) => met)
          return { allow: isAllowed, roles: isAllowed ? roles : [] }
        },
        signal,
      },
    )
    // Nobody has seen it, so nothing may be activated on it.
    if (caller.aborted) throw new RequestError('unavailable', 'The caller is gone.')
    return impact
  } finally {
    signal.removeEventListener('abort', stop)
    await evaluator.close()
  }
}

/** What a replay of the policy alone cannot tell. */
function noticesOf(before: WorkloadIdentitySpec, after: WorkloadIdentitySpec): readonly string[] {
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
