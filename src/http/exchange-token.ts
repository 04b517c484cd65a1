import { z } from 'zod'
import { invalidArgument } from '../errors.ts'
import type { ExchangeRequest } from '../exchange/decide.ts'
import type { ExchangeResult } from '../exchange/exchange-token.ts'
import { EXCHANGE, ISSUED } from './exchange-examples.ts'
import { exchangeRefusals } from './exchange-refusals.ts'
import { errorAnswer } from './problem.ts'
import { defineRoute, type Route, SMALL_BODY } from './route.ts'

const exchangeTokenRequest = z.strictObject({
  token: z.string().optional().meta({ description: "Required: the job's ID token." }),
  email: z.string().optional().meta({ description: "Required: the workload identity's email." }),
  audience: z.string().min(1).optional().meta({ description: "The access token's aud, unless it is ours." }),
})

const issuedAnswer = z.strictObject({
  accessToken: z.string(),
  tokenType: z.literal('Bearer'),
  expiresIn: z.int().meta({ description: 'Seconds.' }),
  decisionId: z.uuid(),
})

/** `POST /v1/auth:exchangeToken`: a job's token for ours. */
export function exchangeTokenRoute(deps: {
  exchangeToken: (request: ExchangeRequest) => Promise<ExchangeResult>
  isEmail: (text: string) => boolean
}): Route {
  return defineRoute({
    method: 'POST',
    path: '/v1/auth:exchangeToken',
    group: 'Jobs',
    summary: "Trade a CI job's ID token for an access token.",
    access: 'public',
    query: 'ignored',
    body: { schema: exchangeTokenRequest.meta({ examples: [EXCHANGE] }), limit: SMALL_BODY },
    answer: issuedAnswer.meta({ examples: [ISSUED] }),
    refusals: exchangeRefusals,
    isEchoed: true,
    async handle({ body, requestId, arrivedAt, callerIp, userAgent, note }) {
      const { token, email, audience } = body
      if (!token) throw invalidArgument('token is required')
      if (!email) throw invalidArgument('email is required')
      if (!deps.isEmail(email))
        throw invalidArgument("email is malformed: it must be the workload identity's email address")
      note({ identity: email })
      const request = { token, email, audience, requestId, arrivedAt, callerIp, userAgent }
      const result = await deps.exchangeToken(request)
      const { id, outcome, reason } = result.decision
      note({ decision: id, outcome, reason })
      if (!result.ok) return errorAnswer(result.refusal.code, result.refusal.message, result.refusal.details)
      const { accessToken, expiresIn, decisionId } = result.issued
      return { body: { accessToken, tokenType: 'Bearer', expiresIn, decisionId } }
    },
  })
}
