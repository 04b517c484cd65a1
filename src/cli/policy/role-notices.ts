import { BUILT_IN_ROLES } from '../../access/built-in-roles.ts'
import { idOfRole, isRoleId, ROLE_PREFIX, roleProblem } from '../../access/role.ts'
import { nearestName } from '../../fields/nearest-name.ts'
import type { PolicyFile } from '../../policy-file/read-policy-file.ts'

const BUILT_IN = BUILT_IN_ROLES.map(({ id }) => `${ROLE_PREFIX}${id}`)

/** Says what is wrong with the name of a role as far as it is known without a service; undefined for what may be one. */
export function findRoleProblem(role: string): string | undefined {
  return isRoleId(idOfRole(role)) ? undefined : roleProblem(role, BUILT_IN)
}

/** A line for each role that rules name and that only a service can know, with the file that names it first. */
export function roleNotices(files: readonly Pick<PolicyFile, 'file' | 'body'>[]): readonly string[] {
  const fileOf = new Map<string, string>()
  for (const { file, body } of files) {
    for (const role of body.workloadIdentityConfig.rules.flatMap(({ roles = [] }) => roles)) {
      if (!BUILT_IN.includes(role) && !fileOf.has(role)) fileOf.set(role, file)
    }
  }
  return [...fileOf].map(([role, file]) => {
    const near = nearestName(role, BUILT_IN)
    const hint = near === undefined ? '' : ` (the nearest is ${near})`
    return `${file}: ${role} is not built in${hint}: whether there is such a role, only the service knows.`
  })
}
