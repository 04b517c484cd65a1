/** The roles that exist without being made, by resource name, and what people call them. */
export const BUILT_IN_ROLES: Readonly<Record<string, string>> = {
  'roles/workspaceAdmin': 'Workspace Admin',
  'roles/policyAuthor': 'Policy Author',
  'roles/auditor': 'Auditor',
  'roles/gitopsServiceAgent': 'GitOps Service Agent',
}

/** Those with which their holder can change who is let in. */
export const ADMINISTRATIVE_ROLES: readonly string[] = ['roles/workspaceAdmin', 'roles/policyAuthor']
