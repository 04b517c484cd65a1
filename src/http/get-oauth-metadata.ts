import { z } from 'zod'
import { TOKEN_EXCHANGE } from './exchange-oauth-token.ts'
import { defineRoute, type Route } from './route.ts'

const RFC_8414 = '/.well-known/oauth-authorization-server'

const texts = z.array(z.string())
const metadataAnswer = z.strictObject({
  issuer: z.string(),
  token_endpoint: z.string(),
  jwks_uri: z.string(),
  introspection_endpoint: z.string(),
  revocation_endpoint: z.string(),
  service_documentation: z.string(),
  grant_types_supported: texts,
  response_types_supported: texts,
  token_endpoint_auth_methods_supported: texts,
  introspection_endpoint_auth_methods_supported: texts,
  revocation_endpoint_auth_methods_supported: texts,
})
const openIdAnswer = z.strictObject({
  ...metadataAnswer.shape,
  subject_types_supported: texts,
  id_token_signing_alg_values_supported: texts,
  claims_supported: texts,
})

/** What libraries read first: where our endpoints are and what they take (RFC 8414, OpenID Connect Discovery 1.0). */
export function oauthMetadataRoutes(about: {
  readonly publicUrl: string
  readonly signingAlgorithm: string
}): readonly Route[] {
  const { publicUrl } = about
  const metadata: z.infer<typeof metadataAnswer> = {
    issuer: publicUrl,
    token_endpoint: `${publicUrl}/oauth2/token`,
    jwks_uri: `${publicUrl}/.well-known/jwks.json`,
    introspection_endpoint: `${publicUrl}/oauth2/introspect`,
    revocation_endpoint: `${publicUrl}/oauth2/revoke`,
    service_documentation: `${publicUrl}/docs`,
    grant_types_supported: [TOKEN_EXCHANGE],
    // There is no authorization endpoint, so nothing that it could answer with.
    response_types_supported: [],
    token_endpoint_auth_methods_supported: ['none'],
    introspection_endpoint_auth_methods_supported: ['Bearer'],
    revocation_endpoint_auth_methods_supported: ['Bearer'],
  }
  const openId: z.infer<typeof openIdAnswer> = {
    ...metadata,
    // Of the tokens that are verified with our keys: whoever reads this document takes them for ID tokens.
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: [about.signingAlgorithm],
    claims_supported: [
      ...['iss', 'sub', 'aud', 'client_id', 'iat', 'nbf', 'exp', 'jti'],
      ...['roles', 'projects', 'rules', 'workload'],
    ],
  }
  return [
    ...wellKnownPaths(publicUrl).map((path, index) =>
      metadataRoute(
        path,
        'Get the metadata of the authorization server (RFC 8414).',
        metadataAnswer,
        metadata,
        {
          operationId:
            index === 0 ? 'getAuthorizationServerMetadata' : 'getAuthorizationServerMetadataOfIssuer',
        },
      ),
    ),
    metadataRoute(
      '/.well-known/openid-configuration',
      'Get the same for libraries that look for it as OpenID Connect has it.',
      openIdAnswer,
      openId,
      { operationId: 'getOpenIdConfiguration' },
    ),
  ]
}

/**
 * RFC 8414 section 3.1 puts the path of an issuer behind the well-known one, so that a proxy in front has it at the
 * root of the host: it is answered there as well.
 */
function wellKnownPaths(publicUrl: string): readonly string[] {
  const { pathname } = new URL(publicUrl)
  return pathname === '/' ? [RFC_8414] : [RFC_8414, `${RFC_8414}${pathname}`]
}

function metadataRoute<Metadata>(
  path: string,
  summary: string,
  answer: z.ZodType<Metadata>,
  metadata: Metadata,
  { operationId }: { readonly operationId: string },
): Route {
  return defineRoute({
    method: 'GET',
    path,
    group: 'OAuth',
    summary,
    operationId,
    access: 'public',
    query: 'ignored',
    answer,
    handle: async () => ({
      headers: { 'Cache-Control': 'public, max-age=300', 'Access-Control-Allow-Origin': '*' },
      body: metadata,
    }),
  })
}
