import type { ProjectMemberships } from '../access/membership-store.ts'
import type { RolePermissions } from '../access/role-permissions-store.ts'
import type { AccessGrant } from '../policy/access-verdict.ts'
import type { AccessQuestion } from './access-question.ts'
import type { KnownSubject } from './find-subject.ts'

/** Enough to choose from; nearly every permission is given by two or three. */
const MAX_GIVERS = 20

/**
 * The input of the policy of access decisions as JSON text: see policies/schemas/access.json. Of a role's permissions
 * the one that is asked for alone, as a role may have hundreds; and of the rules that were not met only those that would
 * give it.
 */
export function accessInput(
  { action, resource }: AccessQuestion,
  subject: KnownSubject,
  project: ProjectMemberships | undefined,
  roles: RolePermissions,
  timeMs: number,
): string {
  const permission = action.name
  const gives = ({ role }: AccessGrant) => roles.has(role, permission)
  const ofRules = rulesGrants(subject).filter((grant) => subject.rules.includes(grant.rule) || gives(grant))
  const memberships = membershipGrants(resource, project)
  return JSON.stringify({
    time: Math.floor(timeMs / 1000),
    subject: {
      type: subject.type,
      email: subject.email,
      project: subject.project ?? '',
      rules: subject.rules,
      roles: subject.roles,
    },
    permission,
    resource: { type: resource.type, id: resource.id },
    grants: [...ofRules, ...memberships].map((grant) => ({
      ...grant,
      permissions: gives(grant) ? [permission] : [],
    })),
    givers: roles.giving(permission).slice(0, MAX_GIVERS),
  })
}

/** What each rule of the identity gives: in the workspace, or in the project that the identity belongs to. */
function rulesGrants({ identityRules, project }: KnownSubject): readonly AccessGrant[] {
  const on = project === null ? 'workspaces/default' : `projects/${project}`
  return identityRules
    .filter(({ disabled }) => !disabled)
    .flatMap(({ id, roles }) => roles.map((role) => ({ role, from: 'rule', rule: id, on }) as const))
}

function membershipGrants(
  { id }: AccessQuestion['resource'],
  project: ProjectMemberships | undefined,
): readonly AccessGrant[] {
  const on = `projects/${id}`
  return (project?.memberships ?? []).map(({ role, rule }) => ({ role, from: 'member', rule, on }))
}
