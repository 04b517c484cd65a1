import { z } from 'zod'
import { findClaimProblem } from '../fields/find-claim-problem.ts'
import type { IdentityStore, StoredIdentity } from '../identity/identity-store.ts'
import type { JsonObject } from '../json.ts'
import type { Verdict } from '../policy/verdict.ts'
import { verdictAnswer } from './decision-json.ts'
import { existingIdentity } from './get-workload-identity.ts'
import { defineRoute, type Route, SMALL_BODY } from './route.ts'

/** `POST /v1/workloadIdentities/{email}:evaluate`: what the policy says of some claims; nothing is recorded. */
export function evaluateClaimsRoute(deps: {
  identities: Pick<IdentityStore, 'findToJudge'>
  evaluateClaims: (identity: StoredIdentity, claims: JsonObject) => Promise<Verdict>
}): Route {
  return defineRoute({
    method: 'POST',
    path: '/v1/workloadIdentities/{email}:evaluate',
    group: 'Workload identities',
    summary: "Say what an identity's policy says of a token with these claims; nothing is recorded.",
    access: 'claimgate.workloadIdentities.evaluate',
    query: {},
    body: {
      schema: z.strictObject({
        claims: z
          .record(z.string(), z.unknown())
          .refine((claims) => findClaimProblem(claims, []) === undefined, 'has a number that is too large')
          .meta({ examples: [{ project_path: 'my-group/my-project', ref: 'main' }] }),
      }),
      limit: SMALL_BODY,
    },
    answer: z.strictObject({ verdict: verdictAnswer }),
    async handle({ params: { email = '' }, body: { claims }, note }) {
      note({ identity: email })
      const identity = await existingIdentity({ find: deps.identities.findToJudge }, email)
      return { body: { verdict: await deps.evaluateClaims(identity, claims as JsonObject) } }
    },
  })
}
