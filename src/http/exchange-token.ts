import { z } from 'zod'
import { invalidArgument } from '../errors.ts'
import type { ExchangeRequest } from '../exchange/decide.ts'
import type { ExchangeResult } from '../exchange/exchange-token.ts'
import { parse } from './parse.ts'
import { errorAnswer } from './problem.ts'
import { type Route, SMALL_BODY } from './route.ts'

const exchangeTokenRequest = z.strictObject({
  token: z.string({ error: 'token must be a string' }).optional(),
  email: z.string({ error: 'email must be a string' }).optional(),
  audience: z.string({ error: 'audience must be a string' }).min(1, 'audience must not be empty').optional(),
})

/** `POST /v1/auth:exchangeToken`: a job's token for ours. */
export function exchangeTokenRoute(deps: {
  exchangeToken: (request: ExchangeRequest) => Promise<ExchangeResult>
  isEmail: (text: string) => boolean
}): Route {
  return {
    method: 'POST',
    path: '/v1/auth:exchangeToken',
    access: 'public',
    query: 'ignored',
    bodyLimit: SMALL_BODY,
    isEchoed: true,
    async handle({ body, requestId, arrivedAt, callerIp, userAgent, note }) {
      const { token, email, audience } = parse(exchangeTokenRequest, body)
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
  }
}
