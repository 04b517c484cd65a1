import { z } from 'zod'
import { impactAnswer, impactJson, type MeasuredImpact } from './impact-json.ts'
import { defineRoute, type Route } from './route.ts'

const DEFAULT_DAYS = 30
const MAX_DAYS = 366
/** More than measuring may take, so that what was found is answered. */
const ANSWER_WITHIN_MS = 60_000

/** `POST …/draft:impact?days=N`: what the draft would have decided. Given up when the caller goes away. */
export function measureDraftImpactRoute(deps: {
  measureDraftImpact: (email: string, days: number, caller: AbortSignal) => Promise<MeasuredImpact>
}): Route {
  return defineRoute({
    method: 'POST',
    path: '/v1/workloadIdentities/{email}/draft:impact',
    group: 'Workload identities',
    summary: 'What a draft would have said of the decisions of the last days, beside what was said.',
    operationId: 'measureWorkloadIdentityDraftImpact',
    access: 'claimgate.workloadIdentities.update',
    query: {
      days: z
        .string()
        .regex(/^[1-9]\d{0,2}$/, `must be a whole number from 1 to ${MAX_DAYS}`)
        .transform(Number)
        .refine((days) => days <= MAX_DAYS, `must be a whole number from 1 to ${MAX_DAYS}`)
        .meta({
          description: `Of how many days: ${DEFAULT_DAYS} unless given, ${MAX_DAYS} at most.`,
          parameter: { type: 'integer', minimum: 1, maximum: MAX_DAYS, default: DEFAULT_DAYS },
        }),
    },
    answer: impactAnswer,
    refusals: {
      aborted: { description: 'The identity or its draft was changed since: draft the change anew.' },
    },
    answerWithinMs: ANSWER_WITHIN_MS,
    async handle({ params: { email = '' }, query, signal = AbortSignal.timeout(ANSWER_WITHIN_MS), note }) {
      note({ identity: email })
      return { body: impactJson(await deps.measureDraftImpact(email, query.days ?? DEFAULT_DAYS, signal)) }
    },
  })
}
