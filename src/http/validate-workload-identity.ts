import { type ZodType, z } from 'zod'
import type { Validation } from '../identity/validate-workload-identity.ts'
import { findingAnswer } from './finding-json.ts'
import { testResultAnswer } from './policy-test-json.ts'
import { defineRoute, LARGE_BODY, type Route } from './route.ts'
import { policyProblemAnswer } from './save-refusals.ts'

const fieldProblemAnswer = z
  .strictObject({ code: z.literal('invalid_field'), message: z.string(), field: z.string() })
  .meta({ id: 'FieldProblem' })

/** `POST /v1/workloadIdentities:validate`: what a save would say, with nothing saved. */
export function validateWorkloadIdentityRoute(deps: {
  workloadIdentityBody: ZodType
  validateWorkloadIdentity: (body: unknown) => Promise<Validation>
}): Route {
  return defineRoute({
    method: 'POST',
    path: '/v1/workloadIdentities:validate',
    group: 'Workload identities',
    summary: 'Say what a save would, without one; with the name of an identity that there is, of a change.',
    access: 'claimgate.workloadIdentities.evaluate',
    query: {},
    body: { schema: deps.workloadIdentityBody, limit: LARGE_BODY, isReadByHandler: true },
    answer: z
      .strictObject({
        problems: z
          .array(z.union([policyProblemAnswer, fieldProblemAnswer]))
          .meta({ description: 'What it would be refused for, its tests and BLOCK_FINDINGS aside.' }),
        findings: z.array(findingAnswer),
        tests: z
          .array(testResultAnswer)
          .meta({ description: 'None where there is no policy to run them on.' }),
        notices: z
          .array(z.string())
          .meta({ description: 'What a save would say besides, and which findings BLOCK_FINDINGS refuses.' }),
      })
      .meta({ id: 'Validation' }),
    async handle({ body }) {
      return { body: await deps.validateWorkloadIdentity(body) }
    },
  })
}
