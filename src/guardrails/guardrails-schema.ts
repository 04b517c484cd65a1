import { z } from 'zod'
import { testTime } from '../fields/test-time.ts'
import { title } from '../fields/title.ts'
import { PROVIDER_TYPES } from '../provider/providers.ts'

const MAX_TESTS = 200 // each is evaluated at every save, in some 50 µs

const testSchema = z.strictObject({
  title,
  claims: z.record(z.string(), z.unknown()).describe("A token's claims."),
  provider: z.enum(PROVIDER_TYPES).optional().describe('Whose claims they are; GITLAB where absent.'),
  time: testTime.optional(),
  expect: z.enum(['ALLOWED', 'DENIED']),
  reason: z
    .string()
    .min(1)
    .max(100)
    .optional()
    .describe("A decision's reason, or the code of a guardrail that must not be met."),
})

const EXAMPLE = {
  source: [
    'package claimgate.guardrails',
    '',
    'required := {"hosted_runner": "Only runners of GitLab.com may be used."}',
    '',
    'met contains "hosted_runner" if input.claims.runner_environment == "gitlab-hosted"',
    '',
  ].join('\n'),
  tests: [
    {
      title: "A runner of one's own",
      claims: { runner_environment: 'self-hosted' },
      expect: 'DENIED',
      reason: 'hosted_runner',
    },
  ],
}

/** The body of a PUT: all that the guardrails are from now on; what is ours is not looked at (AIP-203). */
export const guardrailsBody = z
  .strictObject({
    source: z.string().describe('Rego, `package claimgate.guardrails`; empty: there are none from now on.'),
    tests: z
      .array(testSchema)
      .max(MAX_TESTS)
      .optional()
      .describe(
        'Held to at every save. They replace all that are stored; absent: there are none from now on.',
      ),
    etag: z.string().optional(),
    digest: z.unknown().optional(),
    updateTime: z.unknown().optional(),
    failingTests: z.unknown().optional(),
    notices: z.unknown().optional(),
  })
  .meta({ examples: [EXAMPLE] })

/** Beside identities: what the guardrails are to be. */
const wantedGuardrails = guardrailsBody.pick({ source: true, tests: true })

/** The same in a plan. */
export const plannedGuardrails = wantedGuardrails.extend({
  withImpact: z
    .boolean()
    .optional()
    .describe('Whether to tell what they would do to all identities: unless false, which spares time.'),
})

/** Beside identities, in an apply: that, and the etag that they must still have. */
export const guardrailsChange = wantedGuardrails.extend({
  etag: z.string().describe('Of those that the change was planned for.'),
})

export type GuardrailsBody = z.infer<typeof guardrailsBody>
