import { PERMISSIONS, type Permission } from './permissions.ts'

/** The roles that exist without being made, by resource name, and what people call them. */
export const BUILT_IN_ROLES: Readonly<Record<string, string>> = {
  'roles/workspaceAdmin': 'Workspace Admin',
  'roles/policyAuthor': 'Policy Author',
  'roles/auditor': 'Auditor',
  'roles/gitopsServiceAgent': 'GitOps Service Agent',
}

/** To read everything, and to try what would be decided; nothing of it changes anything. */
const READING = PERMISSIONS.filter(
  (permission) => /\.(get|list)$/.test(permission) || permission === 'claimgate.workloadIdentities.evaluate',
)

/**
 * What a role gives of claimgate's own permissions. An author of policies has none over issuers: who can change the
 * keys of one can be any job of it, an administrator's too.
 */
export const ROLE_PERMISSIONS: Readonly<Record<string, readonly Permission[]>> = {
  'roles/workspaceAdmin': PERMISSIONS,
  'roles/policyAuthor': [
    ...READING,
    ...PERMISSIONS.filter((permission) => /^claimgate\.(workloadIdentities|guardrails)\./.test(permission)),
  ],
  'roles/auditor': READING,
}

/** Those with which their holder can change who is let in. */
export const ADMINISTRATIVE_ROLES: readonly string[] = Object.entries(ROLE_PERMISSIONS)
  .filter(([, permissions]) => permissions.some((permission) => !READING.includes(permission)))
  .map(([role]) => role)
