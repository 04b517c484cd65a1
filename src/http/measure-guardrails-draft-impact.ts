import { z } from 'zod'
import type { FailingTests } from '../policy-test/find-failing-tests.ts'
import { failingTestsAnswer, failingTestsJson } from './failing-tests-json.ts'
import { impactAnswer, impactJson, type MeasuredImpact } from './impact-json.ts'
import { DEFAULT_IMPACT_DAYS, daysParameter, IMPACT_WITHIN_MS } from './impact-parameters.ts'
import { defineRoute, type Route } from './route.ts'

const guardrailsImpactAnswer = impactAnswer
  .extend({ failingTests: failingTestsAnswer.optional() })
  .meta({ id: 'GuardrailsImpact' })

/** `POST /v1/guardrails/draft:impact?days=N&identity=EMAIL`: as for the draft of an identity, over all of them or one. */
export function measureGuardrailsDraftImpactRoute(deps: {
  measureDraftImpact: (
    identity: string | undefined,
    days: number,
    caller: AbortSignal,
  ) => Promise<MeasuredImpact & { readonly failingTests: FailingTests | undefined }>
}): Route {
  return defineRoute({
    method: 'POST',
    path: '/v1/guardrails/draft:impact',
    group: 'Guardrails',
    summary:
      'What drafted guardrails would have said of the decisions of the last days, beside what was said.',
    operationId: 'measureGuardrailsDraftImpact',
    access: 'claimgate.guardrails.update',
    alsoNeeds: 'claimgate.decisions.list',
    query: {
      days: daysParameter,
      identity: z.string().meta({ description: "Only this identity's, by its email; all unless given." }),
    },
    answer: guardrailsImpactAnswer,
    refusals: {
      not_found: { description: 'There is no draft of the guardrails, or no such identity.' },
      aborted: { description: 'The guardrails or their draft were changed since: draft the change anew.' },
    },
    answerWithinMs: IMPACT_WITHIN_MS,
    async handle({ query, signal = AbortSignal.timeout(IMPACT_WITHIN_MS) }) {
      const { identity, days = DEFAULT_IMPACT_DAYS } = query
      const measured = await deps.measureDraftImpact(identity, days, signal)
      const { failingTests } = measured
      return {
        body: {
          ...impactJson(measured),
          ...(failingTests !== undefined && { failingTests: failingTestsJson(failingTests) }),
        },
      }
    },
  })
}
