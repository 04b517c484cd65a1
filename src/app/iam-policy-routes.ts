import { type Binding, createBindingStore } from '../access/binding-store.ts'
import { administrativeRoles } from '../access/built-in-roles.ts'
import { type Caller, maySeeIdentitiesOf } from '../access/caller.ts'
import { iamPolicyBody } from '../access/iam-policy.ts'
import { setIamPolicy } from '../access/set-iam-policy.ts'
import type { OneAtATime } from '../db/one-at-a-time.ts'
import { findFindings } from '../finding/find-findings.ts'
import { getIamPolicyRoute } from '../http/get-iam-policy.ts'
import type { Route } from '../http/route.ts'
import { setIamPolicyRoute } from '../http/set-iam-policy.ts'
import { type ChangeableIdentity, specOf } from '../identity/identity-store.ts'
import type { Parts } from './parts.ts'

/** Who has which role in a project; changes of one project wait for each other. */
export function iamPolicyRoutes(parts: Parts, inTurn: OneAtATime): readonly Route[] {
  return [
    getIamPolicyRoute({ bindings: createBindingStore(parts.db) }),
    setIamPolicyRoute({
      iamPolicyBody,
      async setIamPolicy(caller, project, ...asked) {
        const { policy, added } = await inTurn(project, () => setIamPolicy(parts, caller, project, ...asked))
        return { policy, notices: await noticesFor(parts, caller, project, added) }
      },
    }),
  ]
}

const MAX_NOTICES = 20

/** What new members let in by their rules, as the findings of their identities will say, to who may see these. */
async function noticesFor(
  { config, identities, roles }: Parts,
  caller: Caller,
  projectId: string,
  added: readonly Binding[],
): Promise<readonly string[]> {
  if (added.length === 0) return []
  const byEmail = Map.groupBy(added, ({ email }) => email)
  const context = {
    ...config,
    projectId: null,
    administrativeRoles: administrativeRoles(await roles.listOwnPermissions()),
  }
  const found = await identities.findAll([...byEmail.keys()])
  const seen = found.filter(({ project }) => maySeeIdentitiesOf(caller, project?.id ?? null))
  const notices = seen.flatMap((identity) => {
    const memberships = (byEmail.get(identity.email) ?? []).map((binding) => ({ ...binding, projectId }))
    return findFindings(withoutRoles(identity), { ...context, memberships })
      .filter(({ code }) => code === 'merge_request_membership' || code === 'administrative_role')
      .map(({ message, change }) => `workloadIdentity:${identity.email}: ${message} ${change}`)
  })
  const more = notices.length - MAX_NOTICES
  return more > 0 ? [...notices.slice(0, MAX_NOTICES), `and ${more} more`] : notices
}

/** What its rules give by themselves was told when they were saved. */
function withoutRoles(identity: ChangeableIdentity) {
  const { workloadIdentityConfig: config, ...spec } = specOf(identity)
  const rules = config.rules.map((rule) => ({ ...rule, roles: [] }))
  return { ...spec, workloadIdentityConfig: { ...config, rules } }
}
