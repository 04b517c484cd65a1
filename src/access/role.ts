import { shownList, shownText } from '../fields/field-path.ts'
import { nearestName } from '../fields/nearest-name.ts'

/** What whoever has it may do, of claimgate's own and with the services behind it. */
export type Role = {
  readonly id: string
  readonly title: string
  readonly description: string
  readonly permissions: readonly string[]
  readonly type: 'BUILT_IN' | 'CUSTOM'
  /** Changes with every change; that of built-in ones, which do not change, is always the same. */
  readonly revision: string
  /** Absent of built-in ones, which were never made. */
  readonly createTime?: Date
  readonly updateTime?: Date
}

/** What the name of a role begins with; the rest is its id. */
export const ROLE_PREFIX = 'roles/'

/** Whether a text can be the id of a role. */
export function isRoleId(text: string): boolean {
  return /^[a-z][a-zA-Z0-9-]{0,62}$/.test(text)
}

/** What such an id has to be, to be said after its name. */
export const ROLE_ID_RULE = "must be letters, digits and '-', begin with a lower-case letter, at most 63"

/** The id in a role's name; of a text that is no such name '', which is the id of no role. */
export function idOfRole(name: string): string {
  return name.startsWith(ROLE_PREFIX) ? name.slice(ROLE_PREFIX.length) : ''
}

/** What is wrong with a name that is no role's, of those that there are. */
export function roleProblem(name: string, names: readonly string[]): string {
  const near = nearestName(name, names) ?? nearestName(`${ROLE_PREFIX}${name}`, names)
  const mend = near === undefined ? `the roles are ${shownList(names)}` : `the nearest is ${shownText(near)}`
  return `${shownText(name)} is not a role: ${mend}`
}
