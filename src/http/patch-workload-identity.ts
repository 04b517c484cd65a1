import type { ZodType } from 'zod'
import type { SavedIdentity } from '../identity/create-workload-identity.ts'
import { defineRoute, LARGE_BODY, type Route, type RouteRequest } from './route.ts'
import { taggedAnswer } from './tagged-answer.ts'
import { type FieldMask, updateMaskParameter } from './update-mask.ts'
import { workloadIdentityAnswer, workloadIdentityJson } from './workload-identity-json.ts'

export type IdentityChange = {
  readonly body: unknown
  readonly mask: FieldMask
  readonly ifMatch: RouteRequest['ifMatch']
}

const OUTPUT_ONLY = ['name', 'email', 'etag', 'createTime', 'updateTime', 'policyDigest', 'notices']

/** `PATCH /v1/workloadIdentities/{email}?updateMask=a,b`: its policy is made anew where its rules change. */
export function patchWorkloadIdentityRoute(deps: {
  workloadIdentityPatch: ZodType
  updatableFields: readonly string[]
  changeWorkloadIdentity: (email: string, change: IdentityChange) => Promise<SavedIdentity>
}): Route {
  return defineRoute({
    method: 'PATCH',
    path: '/v1/workloadIdentities/{email}',
    group: 'Workload identities',
    summary: 'Change an identity; the fields that its updateMask names, or those that the body has.',
    access: 'administrator',
    query: {
      updateMask: updateMaskParameter({ updatable: deps.updatableFields, outputOnly: OUTPUT_ONLY }),
    },
    body: { schema: deps.workloadIdentityPatch, limit: LARGE_BODY, isReadByHandler: true },
    answer: workloadIdentityAnswer,
    honoursIfMatch: true,
    async handle({ params: { email = '' }, query, body, ifMatch, note }) {
      note({ identity: email })
      const change = { body, mask: query.updateMask, ifMatch }
      const { identity, notices } = await deps.changeWorkloadIdentity(email, change)
      return taggedAnswer(workloadIdentityJson(identity, notices))
    },
  })
}
