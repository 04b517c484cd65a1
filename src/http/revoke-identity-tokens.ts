import { z } from 'zod'
import type { Caller } from '../access/caller.ts'
import type { TokenCount } from '../decision/count-tokens.ts'
import type { Authorship } from '../fields/authorship.ts'
import { authorshipOf, reasonParameter } from './authorship.ts'
import { isComplete } from './count-tokens.ts'
import { defineRoute, type Route, type RouteRequest } from './route.ts'
import { taggedAnswer } from './tagged-answer.ts'

/** `POST /v1/workloadIdentities/{email}:revokeTokens`: none that it was issued until now counts any more. */
export function revokeIdentityTokensRoute(deps: {
  revokeTokens: (
    caller: Caller,
    email: string,
    ifMatch: RouteRequest['ifMatch'],
    authorship: Authorship,
  ) => Promise<TokenCount & { readonly revision: string }>
}): Route {
  return defineRoute({
    method: 'POST',
    path: '/v1/workloadIdentities/{email}:revokeTokens',
    group: 'Workload identities',
    summary:
      'End all access tokens that an identity was issued until now, for good; it goes on getting new ones.',
    access: 'claimgate.workloadIdentities.update',
    query: { reason: reasonParameter },
    answer: z.strictObject({
      revokedTokens: z.int().meta({ description: 'How many of them had not expired.' }),
      isComplete,
      etag: z.string().meta({ description: "The identity's." }),
    }),
    honoursIfMatch: true,
    async handle({ params: { email = '' }, query, ifMatch, note, ...by }) {
      note({ identity: email })
      const { unexpiredTokens, isComplete, revision } = await deps.revokeTokens(
        by.caller,
        email,
        ifMatch,
        authorshipOf(by, query),
      )
      const answer = { revokedTokens: unexpiredTokens, isComplete, etag: revision }
      return taggedAnswer(answer)
    },
  })
}
