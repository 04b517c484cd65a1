import { shownText } from '../fields/field-path.ts'
import { closestName } from '../fields/nearest-name.ts'

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

/** Whether it is one of claimgate's own. */
export function isOwnPermission(text: string): text is Permission {
  return (PERMISSIONS as readonly string[]).includes(text)
}

const MAX_LENGTH = 150

/** Says what is wrong with a permission that a role is to give, or undefined. Those of other services are theirs to name. */
export function checkPermission(text: string): string | undefined {
  if (isOwnPermission(text)) return undefined
  if (text.length > MAX_LENGTH) return `must have at most ${MAX_LENGTH} characters`
  if (/^claimgate(\.|$)/i.test(text)) {
    return `is no permission of claimgate's: ${shownText(text)}, the nearest is ${closestName(text, PERMISSIONS)}`
  }
  if (/^[A-Za-z][A-Za-z0-9_-]*(\.[A-Za-z0-9][A-Za-z0-9_-]*)+$/.test(text)) return undefined
  return `must be a dotted name, as in 'bb.databases.create': letters, digits, '_' and '-', not ${shownText(text)}`
}
