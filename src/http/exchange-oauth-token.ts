import { z } from 'zod'
import { invalidArgument } from '../errors.ts'
import type { ExchangeRequest } from '../exchange/decide.ts'
import type { ExchangeResult } from '../exchange/exchange-token.ts'
import { readJobToken } from './job-token.ts'
import { NEVER_STORED, OAuthError, oauthRefusalAnswer } from './oauth-error.ts'
import { defineRoute, type Route, SMALL_BODY } from './route.ts'

export const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:'
const SUBJECT_TYPES = [`${TOKEN_TYPE}jwt`, `${TOKEN_TYPE}id_token`]
const ACCESS_TOKEN = `${TOKEN_TYPE}access_token`
const ISSUED_TYPES = [ACCESS_TOKEN, `${TOKEN_TYPE}jwt`]

const text = z.string().optional()
const refused = (name: string) => text.meta({ description: `Refused: ${name}.` })

/** What it does not know it ignores, as RFC 6749 section 3.2 demands. */
const tokenRequest = z.object({
  grant_type: text.meta({ description: `Required: \`${TOKEN_EXCHANGE}\`.` }),
  client_id: text.meta({ description: "Required: the workload identity's email." }),
  subject_token: text.meta({ description: "Required: the job's ID token." }),
  subject_token_type: text.meta({ description: `Required: ${orList(SUBJECT_TYPES)}.` }),
  audience: z.array(z.string()).optional().meta({
    description: "The access token's aud, unless it is ours: one of the identity's tokenAudiences.",
  }),
  resource: z.array(z.string()).optional().meta({ description: 'The same, as an absolute URI.' }),
  requested_token_type: text.meta({ description: `${orList(ISSUED_TYPES)}, which are the same here.` }),
  scope: refused("what a token may is said by its identity's rules"),
  actor_token: refused('a token is of its workload alone'),
  actor_token_type: refused('as above'),
  client_secret: refused('clients have none'),
  client_assertion: refused('clients have no keys'),
  client_assertion_type: refused('as above'),
})

type TokenRequest = z.infer<typeof tokenRequest>

const issuedAnswer = z.strictObject({
  access_token: z.string(),
  issued_token_type: z.enum(ISSUED_TYPES),
  token_type: z.literal('Bearer'),
  expires_in: z.int().meta({ description: 'Seconds.' }),
})

/** `POST /oauth2/token`: the exchange of a job's token for ours in the words of RFC 8693. */
export function exchangeOAuthTokenRoute(deps: {
  exchangeToken: (request: ExchangeRequest) => Promise<ExchangeResult>
  isEmail: (text: string) => boolean
}): Route {
  return defineRoute({
    method: 'POST',
    path: '/oauth2/token',
    group: 'OAuth',
    summary:
      "Trade a CI job's ID token for an access token (RFC 8693); the same as `/v1/auth:exchangeToken`.",
    operationId: 'exchangeOAuthToken',
    access: 'public',
    query: 'ignored',
    body: {
      schema: tokenRequest.meta({
        examples: [
          {
            grant_type: TOKEN_EXCHANGE,
            client_id: 'gitlab-deploy@workload.example.com',
            subject_token: 'eyJraWQiOi…',
            subject_token_type: `${TOKEN_TYPE}id_token`,
          },
        ],
      }),
      limit: SMALL_BODY,
      form: { repeatable: ['audience', 'resource'] },
    },
    answer: issuedAnswer,
    refusals: {
      unauthenticated: { description: 'The client authenticates, and there is nothing to do so with.' },
      resource_exhausted: { description: 'Too many exchanges that failed.' },
    },
    async handle({ body, authorization, requestId, arrivedAt, callerIp, userAgent, note }) {
      refuseCredentials(authorization, body)
      refuseOtherGrants(body)
      const { token, email } = readJobToken(
        { token: body.subject_token, email: body.client_id },
        deps.isEmail,
        { token: 'subject_token', email: 'client_id' },
      )
      const issuedType = readTypes(body)
      note({ identity: email })
      const audience = readTarget(body)
      const request = { token, email, audience, requestId, arrivedAt, callerIp, userAgent }
      const result = await deps.exchangeToken(request)
      const { id, hasRow, outcome, reason } = result.decision
      note({ decision: hasRow ? id : null, outcome, reason })
      if (!result.ok) {
        // Whoever may not know that the identity is there may not know either what it was asked for.
        const isOfTarget = reason === 'audience_not_allowed' && result.refusal.code === 'permission_denied'
        return oauthRefusalAnswer(result.refusal, isOfTarget)
      }
      const { accessToken, expiresIn } = result.issued
      return {
        headers: NEVER_STORED,
        body: {
          access_token: accessToken,
          issued_token_type: issuedType,
          token_type: 'Bearer',
          expires_in: expiresIn,
        },
      }
    },
  })
}

/** Clients are public: one that believes to be known by a secret must not be left in that belief. */
function refuseCredentials(authorization: string | undefined, body: TokenRequest): void {
  const message =
    'Clients do not authenticate here: client_id is the email of the identity, and the token says the rest.'
  if (authorization !== undefined) {
    const [scheme = 'Basic'] = /^[A-Za-z][A-Za-z0-9-]{0,19}(?= |$)/.exec(authorization) ?? []
    throw new OAuthError('invalid_client', message, `${scheme} realm="claimgate"`)
  }
  if (body.client_secret !== undefined || body.client_assertion !== undefined) {
    throw new OAuthError('invalid_client', message)
  }
}

function refuseOtherGrants({ grant_type: grantType }: TokenRequest): void {
  if (grantType === undefined) throw invalidArgument('grant_type is required')
  if (grantType === TOKEN_EXCHANGE) return
  throw new OAuthError('unsupported_grant_type', `grant_type must be ${TOKEN_EXCHANGE}`)
}

/** The type of the token to issue; throws where another is asked for, or another is given than is exchanged here. */
function readTypes(body: TokenRequest): string {
  if (body.subject_token_type === undefined) throw invalidArgument('subject_token_type is required')
  if (!SUBJECT_TYPES.includes(body.subject_token_type)) {
    throw invalidArgument(`subject_token_type must be ${SUBJECT_TYPES.join(' or ')}`)
  }
  if (body.actor_token !== undefined || body.actor_token_type !== undefined) {
    throw invalidArgument('actor_token is not supported: a token is of its workload alone')
  }
  if (body.scope !== undefined) {
    throw new OAuthError(
      'invalid_scope',
      "There are no scopes: what a token may is said by its identity's rules",
    )
  }
  const { requested_token_type: wanted = ACCESS_TOKEN } = body
  if (ISSUED_TYPES.includes(wanted)) return wanted
  throw invalidArgument(`requested_token_type must be ${ISSUED_TYPES.join(' or ')}`)
}

/** RFC 8707 section 2. A token of ours has one audience, so one is all that can be asked for, however often. */
function readTarget({ audience = [], resource = [] }: TokenRequest): string | undefined {
  const invalid = resource.find((uri) => !URL.canParse(uri) || uri.includes('#'))
  if (invalid !== undefined) {
    throw new OAuthError('invalid_target', 'resource must be an absolute URI without a fragment')
  }
  const [target, ...others] = new Set([...audience, ...resource])
  if (others.length > 0) {
    throw new OAuthError('invalid_target', 'An access token has one audience: ask for one')
  }
  return target
}

function orList(names: readonly string[]): string {
  return names.map((name) => `\`${name}\``).join(' or ')
}
