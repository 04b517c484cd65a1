import type { ZodType } from 'zod'
import type { Caller } from '../access/caller.ts'
import type { Authorship } from '../fields/authorship.ts'
import type { MaskFields, Update } from '../fields/field-mask.ts'
import type { SavedDraft } from '../identity/draft-workload-identity.ts'
import { authorshipOf } from './authorship.ts'
import { draftAnswer, draftJson } from './draft-json.ts'
import { defineRoute, LARGE_BODY, type Route } from './route.ts'
import { taggedAnswer } from './tagged-answer.ts'
import { updateMaskParameter } from './update-mask.ts'

/** `PUT /v1/workloadIdentities/{email}/draft?updateMask=a,b`: a change as PATCH has it, compiled but not made. */
export function updateDraftRoute(deps: {
  workloadIdentityPatch: ZodType
  identityFields: MaskFields
  draftWorkloadIdentity: (
    caller: Caller,
    email: string,
    update: Update<unknown>,
    authorship: Authorship,
  ) => Promise<SavedDraft>
}): Route {
  return defineRoute({
    method: 'PUT',
    path: '/v1/workloadIdentities/{email}/draft',
    group: 'Workload identities',
    summary:
      'Draft a change of an identity, in the place of the draft that there may be. It decides nothing.',
    access: 'claimgate.workloadIdentities.update',
    query: { updateMask: updateMaskParameter(deps.identityFields) },
    body: { schema: deps.workloadIdentityPatch, limit: LARGE_BODY, isReadByHandler: true },
    answer: draftAnswer,
    honoursIfMatch: true,
    async handle({ params: { email = '' }, query, body, ifMatch, note, ...by }) {
      note({ identity: email })
      const update = { body, mask: query.updateMask, ifMatch }
      const authorship = authorshipOf(by, {})
      const { draft, notices } = await deps.draftWorkloadIdentity(by.caller, email, update, authorship)
      return taggedAnswer(draftJson(email, draft, notices))
    },
  })
}
