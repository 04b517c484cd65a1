import { z } from 'zod'
import type { Authorship } from '../fields/authorship.ts'
import { authorshipOf } from './authorship.ts'
import { requiredToken, tokenFields } from './introspect-token.ts'
import { NEVER_STORED } from './oauth-error.ts'
import { defineRoute, type Route, SMALL_BODY } from './route.ts'

/** `POST /oauth2/revoke` (RFC 7009): a token counts no more, from this answer on and everywhere. */
export function revokeTokenRoute(deps: {
  /**
   * Gives the email of the identity whose token it is; undefined for what is none of ours, or expired. The author is
   * empty where it is whoever bears the token.
   */
  revokeToken: (token: string, authorship: Authorship) => Promise<string | undefined>
}): Route {
  return defineRoute({
    method: 'POST',
    path: '/oauth2/revoke',
    group: 'OAuth',
    summary: 'End an access token before it expires (RFC 7009); whoever bears it may do so too.',
    operationId: 'revokeToken',
    access: 'claimgate.tokens.revoke',
    isForItself: ({ token }, bearer) => token === bearer,
    query: 'ignored',
    body: {
      schema: tokenFields.meta({ examples: [{ token: 'eyJhbGciOi…' }] }),
      limit: SMALL_BODY,
      form: { repeatable: [] },
    },
    answer: z.strictObject({}).meta({ description: 'The same for what was no token, or none any more.' }),
    async handle({ body, note, ...by }) {
      const email = await deps.revokeToken(requiredToken(body), authorshipOf(by, {}))
      if (email !== undefined) note({ identity: email })
      return { headers: NEVER_STORED, body: {} }
    },
  })
}
