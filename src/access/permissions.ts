/** What can be done with claimgate's own resources, by collection. */
const VERBS = {
  workloadIdentities: ['create', 'get', 'list', 'update', 'delete', 'undelete', 'evaluate'],
  guardrails: ['get', 'list', 'update'],
  issuers: ['create', 'get', 'list', 'update', 'delete', 'undelete', 'refresh'],
  projects: ['create', 'get', 'list', 'update', 'delete', 'undelete', 'setIamPolicy'],
  roles: ['create', 'get', 'list', 'update', 'delete'],
  adminTokens: ['create', 'get', 'list', 'update', 'delete'],
  tokens: ['introspect', 'revoke'],
  signingKeys: ['list', 'rotate'],
  access: ['evaluate'],
  decisions: ['get', 'list'],
  changes: ['get', 'list'],
  metrics: ['get'],
} as const satisfies Readonly<Record<string, readonly string[]>>

type Collection = keyof typeof VERBS

/** A permission of claimgate's own; any other dotted name is one of a service behind it. */
export type Permission = {
  [Name in Collection]: `claimgate.${Name}.${(typeof VERBS)[Name][number]}`
}[Collection]

export const PERMISSIONS: readonly Permission[] = Object.entries(VERBS).flatMap(([collection, verbs]) =>
  verbs.map((verb) => `claimgate.${collection}.${verb}` as Permission),
)
