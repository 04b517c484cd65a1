import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import type { diffModules } from '../policy/diff-modules.ts'
import type { PolicyVersion, PolicyVersionStore } from '../policy/policy-version-store.ts'
import { defineRoute, type Route } from './route.ts'
import {
  againstParameter,
  comparedVersions,
  fieldDiff,
  moduleDiffs,
  versionsToCompare,
} from './version-diff.ts'

/** `GET /v1/guardrails/versions/{version}:diff`: what a version changed, in its Rego and tests. */
export function diffGuardrailsVersionRoute(deps: {
  subject: string
  policyVersions: Pick<PolicyVersionStore, 'get'>
  diffModules: typeof diffModules
}): Route {
  return defineRoute({
    method: 'GET',
    path: '/v1/guardrails/versions/{version}:diff',
    group: 'Guardrails',
    summary: 'What a version of the guardrails has changed: tests, and the Rego as a unified diff.',
    access: 'claimgate.guardrails.get',
    query: { against: againstParameter },
    answer: z.strictObject({
      ...comparedVersions,
      fields: z.array(fieldDiff).meta({ description: 'All but the source: `tests`.' }),
      modules: moduleDiffs,
    }),
    async handle({ params: { version = '' }, query }) {
      const { from, to } = await versionsToCompare(deps.policyVersions, deps.subject, version, query.against)
      const [before, after] = [testsIn(from), testsIn(to)]
      return {
        body: {
          from: from?.number ?? null,
          to: to.number,
          fields: isDeepStrictEqual(before, after) ? [] : [{ path: 'tests', before, after }],
          modules: deps.diffModules(modulesIn(from), modulesIn(to)),
        },
      }
    },
  })
}

function testsIn(version: PolicyVersion | undefined): unknown {
  return version?.resource.tests ?? null
}

/** What its author wrote; there is no module where there were no guardrails. */
function modulesIn(version: PolicyVersion | undefined) {
  const source = version?.resource.source
  return typeof source === 'string' && source !== '' ? [{ path: 'guardrails.rego', source }] : []
}
