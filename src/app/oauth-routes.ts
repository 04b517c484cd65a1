import { exchangeOAuthTokenRoute } from '../http/exchange-oauth-token.ts'
import { oauthMetadataRoutes } from '../http/get-oauth-metadata.ts'
import { introspectTokenRoute } from '../http/introspect-token.ts'
import { revokeTokenRoute } from '../http/revoke-token.ts'
import type { Route } from '../http/route.ts'
import { revokeToken } from '../issuance/revoke-token.ts'
import { SIGNING_ALGORITHM } from '../issuance/signing-key.ts'
import type { Parts } from './parts.ts'

/** What the libraries of OAuth know how to ask; the exchange is the very one that jobs make. */
export function oauthRoutes(
  parts: Parts,
  exchange: Parameters<typeof exchangeOAuthTokenRoute>[0],
): readonly Route[] {
  const { publicUrl } = parts.config
  return [
    exchangeOAuthTokenRoute(exchange),
    introspectTokenRoute({ ...parts, publicUrl }),
    revokeTokenRoute({ revokeToken: (...asked) => revokeToken(parts, ...asked) }),
    ...oauthMetadataRoutes({ publicUrl, signingAlgorithm: SIGNING_ALGORITHM }),
  ]
}
