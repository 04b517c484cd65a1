import { z } from 'zod'
import type { ExchangeRequest } from '../exchange/decide.ts'
import type { ExplainResult } from '../exchange/explain-token.ts'
import { requirementAnswer, ruleAnswer } from './decision-json.ts'
import { EXCHANGE } from './exchange-examples.ts'
import { explanationRefusals } from './exchange-refusals.ts'
import { jobTokenFields, readJobToken } from './job-token.ts'
import { refusalAnswer } from './problem.ts'
import { defineRoute, type Route, SMALL_BODY } from './route.ts'

const explanationAnswer = z.strictObject({
  outcome: z.enum(['ALLOWED', 'DENIED']),
  reason: z
    .string()
    .optional()
    .meta({ description: "Absent where the token is in no group of the identity's rules." }),
  message: z.string().optional().meta({ description: 'What is to be changed, in words.' }),
  rules: z.array(ruleAnswer).optional().meta({ description: 'Those whose group the token meets.' }),
  conditions: z.array(requirementAnswer).optional(),
  guardrails: z.array(requirementAnswer).optional(),
  alreadyUsed: z.literal(true).optional().meta({
    description: 'The token was exchanged before, so that an exchange would be refused.',
  }),
})

/** `POST /v1/auth:explainToken`: what an exchange would come to, with nothing issued and nothing used up. */
export function explainTokenRoute(deps: {
  explainToken: (request: ExchangeRequest) => Promise<ExplainResult>
  isEmail: (text: string) => boolean
}): Route {
  return defineRoute({
    method: 'POST',
    path: '/v1/auth:explainToken',
    group: 'Jobs',
    summary: 'Say what an exchange would come to, and why, without making one.',
    access: 'public',
    query: 'ignored',
    body: { schema: z.strictObject(jobTokenFields).meta({ examples: [EXCHANGE] }), limit: SMALL_BODY },
    answer: explanationAnswer,
    refusals: explanationRefusals,
    isEchoed: true,
    async handle({ body, requestId, arrivedAt, callerIp, userAgent, note }) {
      const { token, email } = readJobToken(body, deps.isEmail)
      note({ identity: email })
      const request = { token, email, audience: undefined, requestId, arrivedAt, callerIp, userAgent }
      const result = await deps.explainToken(request)
      const { id, hasRow, kind, outcome, reason } = result.decision
      note({ decision: hasRow ? id : null, kind, outcome, reason })
      return result.ok ? { body: result.explanation } : refusalAnswer(result.refusal)
    },
  })
}
