import { z } from 'zod'
import { PROVIDER_TYPES, PROVIDERS } from '../provider/providers.ts'
import type { TokenReason } from '../token/token-reason.ts'
import { requirementAnswer, ruleAnswer } from './decision-json.ts'
import { ANOTHER_BRANCH, EXPIRED_TOKEN, OUTSIDE_THE_GROUP } from './exchange-examples.ts'
import type { Route } from './route.ts'

/** The reasons that need no knowledge of the identity, in the order in which they are decided. */
const TOKEN_REASONS = {
  token_malformed: true,
  token_algorithm: true,
  token_type: true,
  token_issuer: true,
  token_key: true,
  token_signature: true,
  token_claims: true,
  token_expired: true,
  token_not_yet_valid: true,
  token_age: true,
} satisfies Record<Exclude<TokenReason, 'issuer_unavailable'>, true>

const textOrTexts = z.union([z.string(), z.array(z.string())])
const shownClaims = [...new Set(PROVIDER_TYPES.flatMap((type) => PROVIDERS[type].shownClaims))]
const ownToken = z
  .strictObject(Object.fromEntries(shownClaims.map((name) => [name, textOrTexts.optional()])))
  .optional()
  .meta({ description: "What the caller's own verified token says, under its provider's names." })

const decisionId = z.uuid()

/** What an explanation is refused for, and an exchange too. */
export const explanationRefusals: NonNullable<Route['refusals']> = {
  resource_exhausted: { description: 'Too many exchanges that failed.' },
  unavailable: {
    description: "The issuer's keys, or something else that is needed, cannot be had now; retry the job.",
    details: z
      .array(
        z.strictObject({
          decisionId: decisionId.optional(),
          reason: z.literal('issuer_unavailable'),
          token: ownToken,
        }),
      )
      .max(1),
  },
}

/** The refusals of an exchange, as far as each caller may know them. */
export const exchangeRefusals: NonNullable<Route['refusals']> = {
  unauthenticated: {
    description:
      'The token is not valid, which the message explains; or this job is no business of this identity, or there is none: those answers are all alike.',
    details: z.tuple([
      z.strictObject({
        decisionId: decisionId
          .optional()
          .meta({ description: 'Absent where no row was written for it alone.' }),
        reason: z.enum(Object.keys(TOKEN_REASONS)).optional(),
        token: ownToken,
      }),
    ]),
    examples: { 'An expired token': EXPIRED_TOKEN, 'Outside the group': OUTSIDE_THE_GROUP },
  },
  permission_denied: {
    description:
      "The job is in the group of one of the identity's rules; the message names what the closest of them lacks, and the mend.",
    details: z.tuple([
      z.strictObject({
        decisionId,
        reason: z.enum([
          'token_audience',
          'audience_not_allowed',
          'condition_not_met',
          'denied_by_conditions',
          'denied_by_guardrails',
          'token_replayed',
        ]),
        rules: z.array(ruleAnswer).meta({ description: 'Those whose group this token met.' }),
        conditions: z.array(requirementAnswer),
        guardrails: z.array(requirementAnswer),
      }),
    ]),
    examples: { 'Another branch': ANOTHER_BRANCH },
  },
  ...explanationRefusals,
}
