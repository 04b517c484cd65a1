import type { ZodType } from 'zod'
import type { Caller } from '../access/caller.ts'
import type { Authorship } from '../fields/authorship.ts'
import type { MaskFields, Update } from '../fields/field-mask.ts'
import type { SavedIdentity } from '../identity/create-workload-identity.ts'
import { authorshipOf, reasonParameter } from './authorship.ts'
import { acknowledge } from './finding-json.ts'
import { defineRoute, LARGE_BODY, type Route } from './route.ts'
import { SAVE_REFUSALS } from './save-refusals.ts'
import { taggedAnswer } from './tagged-answer.ts'
import { updateMaskParameter } from './update-mask.ts'
import { workloadIdentityAnswer, workloadIdentityJson } from './workload-identity-json.ts'

/** `PATCH /v1/workloadIdentities/{email}?updateMask=a,b`: its policy is made anew where its rules or conditions change. */
export function updateWorkloadIdentityRoute(deps: {
  workloadIdentityPatch: ZodType
  identityFields: MaskFields
  updateWorkloadIdentity: (
    caller: Caller,
    email: string,
    update: Update<unknown>,
    authorship: Authorship,
  ) => Promise<SavedIdentity>
}): Route {
  return defineRoute({
    method: 'PATCH',
    path: '/v1/workloadIdentities/{email}',
    group: 'Workload identities',
    summary: 'Change an identity; the fields that its updateMask names, or those that the body has.',
    access: 'claimgate.workloadIdentities.update',
    query: {
      updateMask: updateMaskParameter(deps.identityFields),
      reason: reasonParameter,
      acknowledge,
    },
    body: {
      schema: deps.workloadIdentityPatch.meta({
        examples: [{ title: 'GitLab Deploy', tokenLifetimeSeconds: 900 }],
      }),
      limit: LARGE_BODY,
      isReadByHandler: true,
    },
    answer: workloadIdentityAnswer,
    refusals: SAVE_REFUSALS,
    honoursIfMatch: true,
    async handle({ params: { email = '' }, query, body, ifMatch, note, ...by }) {
      note({ identity: email })
      const update = { body, mask: query.updateMask, ifMatch }
      const saved = await deps.updateWorkloadIdentity(by.caller, email, update, authorshipOf(by, query))
      return taggedAnswer(workloadIdentityJson(saved.identity, saved))
    },
  })
}
