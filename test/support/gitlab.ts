import { startTokenIssuer, type TokenIssuer, type TokenIssuerOptions } from './token-issuer.ts'

export type Gitlab = TokenIssuer

/** Starts a look-alike of a GitLab instance on loopback, with real keys, for tests and for trying out. */
export function startGitlab(options: TokenIssuerOptions): Promise<Gitlab> {
  return startTokenIssuer(options, {
    jwksPath: '/oauth/discovery/keys',
    discovery: discoveryDocument,
    tokenClaims: (iat, _claims, issuerUrl) => ({
      aud: issuerUrl,
      nbf: iat - 5,
      exp: iat + JOB_TIMEOUT_SECONDS,
    }),
    header: () => ({}),
  })
}

const JOB_TIMEOUT_SECONDS = 3600 // GitLab's default for a project

function discoveryDocument(issuerUrl: string): object {
  return {
    issuer: issuerUrl,
    authorization_endpoint: `${issuerUrl}/oauth/authorize`,
    token_endpoint: `${issuerUrl}/oauth/token`,
    revocation_endpoint: `${issuerUrl}/oauth/revoke`,
    introspection_endpoint: `${issuerUrl}/oauth/introspect`,
    userinfo_endpoint: `${issuerUrl}/oauth/userinfo`,
    jwks_uri: `${issuerUrl}/oauth/discovery/keys`,
    scopes_supported: ['api', 'read_api', 'read_user', 'openid', 'profile', 'email'],
    response_types_supported: ['code'],
    response_modes_supported: ['query', 'fragment', 'form_post'],
    grant_types_supported: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
    claim_types_supported: ['normal'],
    claims_supported: [
      'iss',
      'sub',
      'aud',
      'exp',
      'iat',
      'sub_legacy',
      'name',
      'nickname',
      'email',
      'groups_direct',
    ],
    code_challenge_methods_supported: ['plain', 'S256'],
  }
}
