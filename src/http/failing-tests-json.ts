import { z } from 'zod'
import type { FailingTests } from '../policy-test/find-failing-tests.ts'

export const failingTestsAnswer = z
  .strictObject({
    looked: z.int().meta({ description: 'How many identities with tests were looked at.' }),
    isComplete: z.boolean().meta({ description: 'Whether those are all: it looks for 3 s.' }),
    count: z.int().meta({ description: 'How many of them have tests that the change breaks.' }),
    identities: z
      .array(
        z.strictObject({
          email: z.string(),
          tests: z
            .array(z.strictObject({ title: z.string(), message: z.string() }))
            .meta({ description: 'The first that it breaks, 5 at most.' }),
        }),
      )
      .meta({ description: 'The first of them, 20 at most; count is of all.' }),
  })
  .meta({
    id: 'FailingTests',
    description:
      "Identities' stored tests that a change of the guardrails breaks: they come out otherwise by it, and not as they expect. The next save of such an identity is refused. So it is by a test that failed before, which is not told here. Absent where all were looked at and none is broken.",
  })

export function failingTestsJson({ looked, isComplete, count, identities }: FailingTests) {
  return { looked, isComplete, count, identities }
}
