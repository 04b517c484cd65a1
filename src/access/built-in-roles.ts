import type { OwnPermissions } from './caller.ts'
import { PERMISSIONS, type Permission } from './permissions.ts'
import type { Role } from './role.ts'

/** To read everything, and to try what would be decided; nothing of it changes anything. */
const READING: readonly Permission[] = PERMISSIONS.filter(
  (permission) => /\.(get|list)$/.test(permission) || permission === 'claimgate.workloadIdentities.evaluate',
)

/** What Bytebase asks of a job that makes and runs changes of databases, by its own names. */
const DATABASE_CHANGES = [
  'bb.plans.create',
  'bb.plans.get',
  'bb.releases.check',
  'bb.releases.create',
  'bb.releases.get',
  'bb.rollouts.create',
  'bb.rollouts.get',
  'bb.rollouts.list',
  'bb.taskRuns.create',
  'bb.taskRuns.list',
]

/**
 * The roles that exist without being made. An author of policies has no permission over issuers: who can change the keys
 * of one can be any job of it, an administrator's too; nor over what gives permissions to whom.
 */
export const BUILT_IN_ROLES: readonly Role[] = [
  builtIn('workspaceAdmin', 'Workspace Admin', 'Everything that there is to administer.', PERMISSIONS),
  builtIn('policyAuthor', 'Policy Author', 'Identities and guardrails; reading everything else.', [
    ...READING,
    ...PERMISSIONS.filter(
      (permission) =>
        /^claimgate\.(workloadIdentities|guardrails)\./.test(permission) && !READING.includes(permission),
    ),
  ]),
  builtIn('auditor', 'Auditor', 'Reading everything.', READING),
  builtIn(
    'gitopsServiceAgent',
    'GitOps Service Agent',
    'Making and running changes of databases in Bytebase; nothing of claimgate.',
    DATABASE_CHANGES,
  ),
]

function builtIn(id: string, title: string, description: string, permissions: readonly string[]): Role {
  return { id, title, description, permissions: permissions.toSorted(), type: 'BUILT_IN', revision: '0' }
}

/** What services behind us ask of other people's tokens, which changes nothing either. */
const ASKING: readonly Permission[] = ['claimgate.access.evaluate', 'claimgate.tokens.introspect']

/** Of all roles, by what they give of claimgate's own, those with which their holder can change who is let in, or more. */
export function administrativeRoles(given: OwnPermissions): readonly string[] {
  return [...given]
    .filter(([, permissions]) =>
      [...permissions].some((permission) => !READING.includes(permission) && !ASKING.includes(permission)),
    )
    .map(([role]) => role)
}

export function findBuiltInRole(id: string): Role | undefined {
  return BUILT_IN_ROLES.find((role) => role.id === id)
}
