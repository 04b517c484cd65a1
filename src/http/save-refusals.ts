import { z } from 'zod'
import { findingAnswer } from './finding-json.ts'
import { testResultAnswer } from './policy-test-json.ts'
import type { Route, RouteRefusal } from './route.ts'

/** What is wrong with Rego, with its place there; `row` and `column` count from 1. */
export const policyProblemAnswer = z
  .strictObject({
    code: z.string(),
    message: z.string(),
    hint: z.string().optional(),
    file: z.string(),
    row: z.int(),
    column: z.int(),
  })
  .meta({ id: 'PolicyProblem' })

const REFUSED_FOR_FINDINGS = {
  description: 'It has findings that BLOCK_FINDINGS refuses and that are not acknowledged.',
  details: z.array(z.strictObject({ findings: z.array(findingAnswer) })).max(1),
}

/** A policy that is at fault: what is wrong with its Rego, and where; or the tests that it fails. */
export const POLICY_REFUSAL: RouteRefusal = {
  description: 'A field is wrong, its rules or Rego make no policy, or one of its tests fails.',
  details: z
    .array(
      z.union([
        z.strictObject({ problems: z.array(policyProblemAnswer) }),
        z.strictObject({ tests: z.array(testResultAnswer) }),
      ]),
    )
    .max(1),
}

/** The refusals of a save whose body decides who is let in, that carry details. */
export const SAVE_REFUSALS: NonNullable<Route['refusals']> = {
  invalid_argument: POLICY_REFUSAL,
  failed_precondition: REFUSED_FOR_FINDINGS,
}

/** The same of a save without a body. */
export const UNDELETE_REFUSALS: NonNullable<Route['refusals']> = {
  failed_precondition: {
    ...REFUSED_FOR_FINDINGS,
    description: `It is not deleted, or its email was given anew. ${REFUSED_FOR_FINDINGS.description}`,
  },
}
