import { z } from 'zod'
import type { RouteRefusal } from './route.ts'

const problemAnswer = z
  .strictObject({
    code: z.string(),
    message: z.string().meta({ description: "The compiler's words, or ours." }),
    hint: z.string().optional().meta({ description: 'How to mend it, in one sentence.' }),
    file: z.string(),
    row: z.int().meta({ description: 'From 1.' }),
    column: z.int().meta({ description: 'From 1.' }),
  })
  .meta({ id: 'PolicyProblem' })

const testResultAnswer = z
  .strictObject({
    title: z.string(),
    passed: z.boolean(),
    outcome: z.enum(['ALLOWED', 'DENIED', 'FAILED']),
    reason: z.string(),
    unmet: z.array(z.string()).meta({ description: 'The codes that are not met.' }),
    message: z.string().meta({ description: 'What was expected, and what came.' }),
  })
  .meta({ id: 'PolicyTestResult' })

/** A save that is refused for its policy: what is wrong with the Rego, and where; or the tests that it fails. */
export const policyRefusal: RouteRefusal = {
  description:
    'The request is malformed, or asks for what cannot be; the message names the field. Where the policy is at fault, its problems or the tests that it fails are in the details.',
  details: z
    .array(z.strictObject({ problems: z.array(problemAnswer), tests: z.array(testResultAnswer).optional() }))
    .max(1),
}
