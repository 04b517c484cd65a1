import { RequestError } from '../errors.ts'
import type { Route } from './route.ts'

/** `DELETE /v1/workloadIdentities/{email}`: at once no exchange and no `users/me` for it any more. */
export function deleteWorkloadIdentityRoute(deps: {
  deleteIdentity: (email: string) => Promise<boolean>
}): Route {
  return {
    method: 'DELETE',
    path: '/v1/workloadIdentities/{email}',
    access: 'administrator',
    query: [],
    async handle({ params: { email = '' }, note }) {
      note({ identity: email })
      if (!(await deps.deleteIdentity(email))) {
        throw new RequestError('not_found', 'There is no such workload identity, or it is deleted already.')
      }
      return { body: {} }
    },
  }
}
