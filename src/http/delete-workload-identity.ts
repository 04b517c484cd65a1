import { z } from 'zod'
import { RequestError } from '../errors.ts'
import { defineRoute, type Route } from './route.ts'

/** `DELETE /v1/workloadIdentities/{email}`: at once no exchange and no `users/me` for it any more. */
export function deleteWorkloadIdentityRoute(deps: {
  deleteIdentity: (email: string) => Promise<boolean>
}): Route {
  return defineRoute({
    method: 'DELETE',
    path: '/v1/workloadIdentities/{email}',
    group: 'Workload identities',
    summary:
      'Delete an identity: at once nobody exchanges a token for it, and its access tokens are refused here.',
    access: 'administrator',
    query: {},
    answer: z.strictObject({}),
    async handle({ params: { email = '' }, note }) {
      note({ identity: email })
      if (!(await deps.deleteIdentity(email))) {
        throw new RequestError('not_found', 'There is no such workload identity, or it is deleted already.')
      }
      return { body: {} }
    },
  })
}
