import type { ExchangeRequest } from '../exchange/decide.ts'
import { type ExchangeResult, exchangeToken } from '../exchange/exchange-token.ts'
import { type ExplainResult, explainToken } from '../exchange/explain-token.ts'
import { exchangeTokenRoute } from '../http/exchange-token.ts'
import { explainTokenRoute } from '../http/explain-token.ts'
import { getCurrentUserRoute } from '../http/get-current-user.ts'
import { getJwksRoute } from '../http/get-jwks.ts'
import type { Route } from '../http/route.ts'
import { parseEmail } from '../identity/identity-email.ts'
import { exchangeDeps } from './exchange-deps.ts'
import { oauthRoutes } from './oauth-routes.ts'
import type { Parts } from './parts.ts'

/** What jobs call, and services that are handed an access token. */
export function jobRoutes(parts: Parts): readonly Route[] {
  const { keys } = parts
  const deps = exchangeDeps(parts)
  const isEmail = (text: string) => parseEmail(text) !== undefined
  const exchange = {
    exchangeToken: (request: ExchangeRequest) =>
      parts.telemetry.exchange('EXCHANGE', () => exchangeToken(deps, request), exchangeSeen),
    isEmail,
  }
  return [
    exchangeTokenRoute(exchange),
    explainTokenRoute({
      explainToken: (request) =>
        parts.telemetry.exchange('DRY_RUN', () => explainToken(deps, request), dryRunSeen),
      isEmail,
    }),
    getCurrentUserRoute({
      findLiveToken: parts.findLiveToken,
      listMemberships: parts.grants.listMemberships,
    }),
    getJwksRoute({ publishKeys: keys.publish }),
    ...oauthRoutes(parts, exchange),
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
