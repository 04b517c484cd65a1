import { randomUUID } from 'node:crypto'
import type { Claims } from './gitlab-claims.ts'
import { startTokenIssuer, type TokenIssuer, type TokenIssuerOptions } from './token-issuer.ts'

export type Github = TokenIssuer & {
  /** Starts a job with these claims; returns the variables by which its steps ask for tokens. */
  startJob(claims: Claims): Readonly<Record<string, string>>
}

/** Starts a look-alike of GitHub's issuer of Actions tokens on loopback, with real keys. */
export async function startGithub(options: TokenIssuerOptions): Promise<Github> {
  const jobs = new Map<string, Claims>()
  const issuer = await startTokenIssuer(
    { firstKey: FIRST_KEY, ...options },
    {
      jwksPath: '/.well-known/jwks',
      discovery: discoveryDocument,
      tokenClaims: (iat, { repository_owner }) => ({
        aud: `https://github.com/${repository_owner}`,
        nbf: iat - 600,
        exp: iat + TOKEN_SECONDS,
      }),
      header: ({ kid }) => ({ x5t: kid.slice(0, 27) }),
      answer(path, { authorization = '' }) {
        const { pathname, searchParams } = new URL(path, 'http://issuer')
        const claims = jobs.get(/^bearer (.+)$/i.exec(authorization)?.[1] ?? '')
        if (pathname !== TOKEN_PATH || claims === undefined) return undefined
        const aud = searchParams.get('audience')
        return JSON.stringify({ count: 1, value: issuer.signToken({ ...claims, ...(aud && { aud }) }) })
      },
    },
  )
  return Object.assign(issuer, {
    startJob(claims: Claims) {
      const secret = randomUUID()
      jobs.set(secret, claims)
      return {
        ACTIONS_ID_TOKEN_REQUEST_URL: `${issuer.issuerUrl}${TOKEN_PATH}?api-version=2.0`,
        ACTIONS_ID_TOKEN_REQUEST_TOKEN: secret,
      }
    },
  })
}

const FIRST_KEY = 20 // none of a GitLab's
const TOKEN_SECONDS = 300
const TOKEN_PATH = '/pipelines/idtoken'

function discoveryDocument(issuerUrl: string): object {
  return {
    issuer: issuerUrl,
    jwks_uri: `${issuerUrl}/.well-known/jwks`,
    subject_types_supported: ['public', 'pairwise'],
    response_types_supported: ['id_token'],
    claims_supported: ['sub', 'aud', 'exp', 'iat', 'iss', 'jti', 'nbf', 'ref', 'repository'],
    id_token_signing_alg_values_supported: ['RS256'],
    scopes_supported: ['openid'],
  }
}
