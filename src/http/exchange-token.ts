import { z } from 'zod'
import type { ExchangeRequest } from '../exchange/decide.ts'
import type { ExchangeResult } from '../exchange/exchange-token.ts'
import { EXCHANGE, ISSUED } from './exchange-examples.ts'
import { exchangeRefusals } from './exchange-refusals.ts'
import { jobTokenFields, readJobToken } from './job-token.ts'
import { refusalAnswer } from './problem.ts'
import { defineRoute, type Route, SMALL_BODY } from './route.ts'

const exchangeTokenRequest = z.strictObject({
  ...jobTokenFields,
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
      const { token, email } = readJobToken(body, deps.isEmail)
      note({ identity: email })
      const request = { token, email, audience: body.audience, requestId, arrivedAt, callerIp, userAgent }
      const result = await deps.exchangeToken(request)
      const { id, hasRow, outcome, reason } = result.decision
      note({ decision: hasRow ? id : null, outcome, reason })
      if (!result.ok) return refusalAnswer(result.refusal)
      const { accessToken, expiresIn, decisionId } = result.issued
      return { body: { accessToken, tokenType: 'Bearer', expiresIn, decisionId } }
    },
  })
}
