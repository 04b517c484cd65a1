import { z } from 'zod'
import type { TokenCounter } from '../decision/count-tokens.ts'
import { RequestError } from '../errors.ts'
import type { IdentityStore } from '../identity/identity-store.ts'
import type { IssuerStore } from '../issuer/issuer-store.ts'
import { existingIdentity } from './get-workload-identity.ts'
import { defineRoute, type Route } from './route.ts'

const unexpiredTokens = z.int().meta({ description: 'Those that have not expired and were not revoked.' })

/** Whether all that there was could be counted. */
export const isComplete = z.boolean().meta({
  description: 'False where there were too many exchanges to look at: there may be more tokens then.',
})

/** `GET /v1/workloadIdentities/{email}:countTokens`: what disabling it, or a rule of it, would end. */
export function countIdentityTokensRoute(deps: {
  identities: Pick<IdentityStore, 'find'>
  tokenCounter: Pick<TokenCounter, 'ofIdentity'>
}): Route {
  return defineRoute({
    method: 'GET',
    path: '/v1/workloadIdentities/{email}:countTokens',
    group: 'Workload identities',
    summary: 'Count the access tokens of an identity that could still be presented, and those of each rule.',
    access: 'claimgate.workloadIdentities.get',
    query: {},
    answer: z.strictObject({
      unexpiredTokens,
      rules: z.array(z.strictObject({ rule: z.string(), unexpiredTokens })).meta({
        description: 'How many met each rule, of which one token may have met several.',
      }),
      isComplete,
    }),
    async handle({ params: { email = '' } }) {
      const identity = await existingIdentity(deps.identities, email)
      return { body: await deps.tokenCounter.ofIdentity(identity) }
    },
  })
}

/** `GET /v1/issuers/{id}:countTokens`: what disabling it would end. */
export function countIssuerTokensRoute(deps: {
  issuers: Pick<IssuerStore, 'get'>
  tokenCounter: Pick<TokenCounter, 'ofIssuer'>
}): Route {
  return defineRoute({
    method: 'GET',
    path: '/v1/issuers/{id}:countTokens',
    group: 'Issuers',
    summary: "Count the access tokens that were issued for an issuer's tokens and could still be presented.",
    access: 'claimgate.issuers.get',
    query: {},
    answer: z.strictObject({ unexpiredTokens, isComplete }),
    async handle({ params: { id = '' } }) {
      const issuer = await deps.issuers.get(id)
      if (issuer === undefined) throw new RequestError('not_found', 'There is no such issuer.')
      return { body: await deps.tokenCounter.ofIssuer(issuer.issuerUrl) }
    },
  })
}
