import { impactAnswer, impactJson, type MeasuredImpact } from './impact-json.ts'
import { DEFAULT_IMPACT_DAYS, daysParameter, IMPACT_WITHIN_MS } from './impact-parameters.ts'
import { defineRoute, type Route } from './route.ts'

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
    alsoNeeds: 'claimgate.decisions.list',
    query: { days: daysParameter },
    answer: impactAnswer,
    refusals: {
      aborted: { description: 'The identity or its draft was changed since: draft the change anew.' },
    },
    answerWithinMs: IMPACT_WITHIN_MS,
    async handle({ params: { email = '' }, query, signal = AbortSignal.timeout(IMPACT_WITHIN_MS), note }) {
      note({ identity: email })
      const { days = DEFAULT_IMPACT_DAYS } = query
      return { body: impactJson(await deps.measureDraftImpact(email, days, signal)) }
    },
  })
}
