import type { PolicyVersionStore } from '../policy/policy-version-store.ts'
import { guardrailsVersionAnswer, guardrailsVersionJson } from './guardrails-json.ts'
import { existingVersion } from './policy-version-json.ts'
import { defineRoute, type Route } from './route.ts'

/** `GET /v1/guardrails/versions/{version}`. */
export function getGuardrailsVersionRoute(deps: {
  subject: string
  policyVersions: Pick<PolicyVersionStore, 'get'>
}): Route {
  return defineRoute({
    method: 'GET',
    path: '/v1/guardrails/versions/{version}',
    group: 'Guardrails',
    summary: 'Get what the guardrails were in one of their versions.',
    access: 'claimgate.guardrails.get',
    query: {},
    answer: guardrailsVersionAnswer,
    async handle({ params: { version = '' } }) {
      const saved = await existingVersion(deps.policyVersions, deps.subject, version)
      return { body: guardrailsVersionJson(saved) }
    },
  })
}
