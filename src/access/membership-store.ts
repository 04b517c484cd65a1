import type { Database, PreparedStatement } from '../db/database.ts'

/** A role that an identity was bound to in a project; `rule` is '' where it does not matter by which it was let in. */
export type Membership = { readonly role: string; readonly rule: string }

/** A project as an access decision sees it, and what one identity is bound to in it. */
export type ProjectMemberships = {
  readonly isActive: boolean
  /** Of the project, and of its IamPolicy. */
  readonly revision: string
  readonly iamRevision: string
  readonly memberships: readonly Membership[]
}

export type MembershipStore = {
  /** Undefined where there never was such a project. One query, whatever number of members and projects there is. */
  find(identityId: string, projectId: string): Promise<ProjectMemberships | undefined>
}

export function createMembershipStore(db: Pick<Database, 'run'>): MembershipStore {
  return {
    async find(identityId, projectId) {
      const [row] = await db.run<ProjectRow>(FIND_MEMBERSHIPS, [identityId, projectId])
      return (
        row && {
          isActive: row.state === 'ACTIVE',
          revision: row.revision,
          iamRevision: row.iam_revision,
          memberships: row.memberships,
        }
      )
    },
  }
}

type ProjectRow = {
  readonly state: string
  readonly revision: string
  readonly iam_revision: string
  readonly memberships: readonly Membership[]
}

const FIND_MEMBERSHIPS: PreparedStatement = {
  name: 'find-memberships',
  text: `
    select state, revision, iam_revision, (
        select coalesce(json_agg(json_build_object('role', role, 'rule', rule) order by role, rule), '[]')
          from project_bindings where identity_id = $1::uuid and project_id = p.id
      ) as memberships
      from projects p where id = $2`,
}
