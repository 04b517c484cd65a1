import { z } from 'zod'
import { verdictAnswer } from './decision-json.ts'

export const policyTestAnswer = z
  .strictObject({
    title: z.string(),
    claims: z.record(z.string(), z.unknown()),
    time: z.string().optional().meta({ description: 'The moment at which it is decided.' }),
    expect: z.enum(['ALLOWED', 'DENIED']),
    reason: z.string().optional(),
  })
  .meta({ id: 'PolicyTest' })

export const testResultAnswer = z
  .strictObject({
    title: z.string(),
    passed: z.boolean(),
    expected: z.strictObject({ outcome: z.enum(['ALLOWED', 'DENIED']), reason: z.string().optional() }),
    actual: z.strictObject({ outcome: z.enum(['ALLOWED', 'DENIED', 'FAILED']), reason: z.string() }),
    message: z.string().optional().meta({ description: 'Of a test that fails: what is not as expected.' }),
    verdict: verdictAnswer
      .nullable()
      .optional()
      .meta({ description: 'Of a test that fails; null where no policy of the identity ran.' }),
  })
  .meta({ id: 'TestResult' })
