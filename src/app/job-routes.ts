import { type ExchangeResult, exchangeToken } from '../exchange/exchange-token.ts'
import { type ExplainResult, explainToken } from '../exchange/explain-token.ts'
import { exchangeTokenRoute } from '../http/exchange-token.ts'
import { explainTokenRoute } from '../http/explain-token.ts'
import { getCurrentUserRoute } from '../http/get-current-user.ts'
import { getJwksRoute } from '../http/get-jwks.ts'
import type { Route } from '../http/route.ts'
import { parseEmail } from '../identity/identity-email.ts'
import { exchangeDeps } from './exchange-deps.ts'
import type { Parts } from './parts.ts'

/** What jobs call, and services that are handed an access token. */
export function jobRoutes(parts: Parts): readonly Route[] {
  const { keys } = parts
  const exchange = exchangeDeps(parts)
  const isEmail = (text: string) => parseEmail(text) !== undefined
  return [
    exchangeTokenRoute({
      exchangeToken: (request) =>
        parts.telemetry.exchange('EXCHANGE', () => exchangeToken(exchange, request), exchangeSeen),
      isEmail,
    }),
    explainTokenRoute({
      explainToken: (request) =>
        parts.telemetry.exchange('DRY_RUN', () => explainToken(exchange, request), dryRunSeen),
      isEmail,
    }),
    getCurrentUserRoute({
      verifyAccessToken: parts.verifyAccessToken,
      findIdentityOfToken: ({ decisionId }) => parts.identities.findByDecision(decisionId),
      listMemberships: parts.grants.listMemberships,
    }),
    getJwksRoute(keys),
  ]
}

/** A refusal that is the same for everybody must be the same in what everybody may count, too. */
function exchangeSeen(result: ExchangeResult) {
  return seen(result.decision, result.ok || result.refusal.code === 'permission_denied')
}

function dryRunSeen(result: ExplainResult) {
  return seen(result.decision, result.ok && result.explanation.reason !== undefined)
}

function seen(
  { outcome, reason, decidedOn }: ExchangeResult['decision'] | ExplainResult['decision'],
  isTold: boolean,
) {
  const isOfTheToken = decidedOn.identityRevision === undefined
  return { outcome, reason, isDisclosed: isTold || isOfTheToken }
}
