import { RequestError } from '../errors.ts'
import type { GuardrailsStore } from '../guardrails/guardrails-store.ts'
import { guardrailsVersionAnswer, guardrailsVersionJson } from './guardrails-json.ts'
import { defineRoute, type Route } from './route.ts'

/** `GET /v1/guardrails/versions/{version}`: versions are counted from 1. */
export function getGuardrailsVersionRoute(deps: { guardrails: Pick<GuardrailsStore, 'getVersion'> }): Route {
  return defineRoute({
    method: 'GET',
    path: '/v1/guardrails/versions/{version}',
    group: 'Guardrails',
    summary: 'Get what the guardrails were in one of their versions.',
    access: 'claimgate.guardrails.get',
    query: {},
    answer: guardrailsVersionAnswer,
    async handle({ params: { version = '' } }) {
      const saved = /^[1-9]\d{0,8}$/.test(version)
        ? await deps.guardrails.getVersion(Number(version))
        : undefined
      if (saved === undefined)
        throw new RequestError('not_found', 'There is no such version of the guardrails.')
      return { body: guardrailsVersionJson(saved) }
    },
  })
}
