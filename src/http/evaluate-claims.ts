import { z } from 'zod'
import { invalidArgument } from '../errors.ts'
import { fieldPath } from '../fields/field-path.ts'
import { findClaimProblem } from '../fields/find-claim-problem.ts'
import type { IdentityStore, StoredIdentity } from '../identity/identity-store.ts'
import type { JsonObject } from '../json.ts'
import type { Verdict } from '../policy/verdict.ts'
import { verdictAnswer } from './decision-json.ts'
import { existingIdentity } from './get-workload-identity.ts'
import { parse } from './parse.ts'
import { defineRoute, type Route, SMALL_BODY } from './route.ts'

const claimsBody = z.strictObject({
  claims: z
    .record(z.string(), z.unknown())
    .meta({ examples: [{ project_path: 'my-group/my-project', ref: 'main' }] }),
})

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
      schema: claimsBody,
      limit: SMALL_BODY,
      isReadByHandler: true,
    },
    answer: z.strictObject({ verdict: verdictAnswer }),
    async handle({ params: { email = '' }, body, note }) {
      note({ identity: email })
      const claims = readClaims(body)
      const identity = await existingIdentity({ find: deps.identities.findToJudge }, email)
      return { body: { verdict: await deps.evaluateClaims(identity, claims) } }
    },
  })
}

/** Looked at as they came: the schema drops a member `__proto__`. */
function readClaims(body: unknown): JsonObject {
  const { claims } = parse(claimsBody, body)
  const problem = findClaimProblem((body as { claims: unknown }).claims, ['claims'])
  if (problem !== undefined) throw invalidArgument(`${fieldPath(problem.path)} ${problem.message}.`)
  return claims as JsonObject
}
