import type { Database, PreparedStatement } from '../db/database.ts'
import { findBuiltInRole } from './built-in-roles.ts'
import { idOfRole, ROLE_PREFIX } from './role.ts'

/** Whoever has roles: an identity, and by which of its rules it was let in. */
export type Subject = {
  /** Its internal id, never used again. */
  readonly identityId: string
  /** The project that it belongs to; null where that is the workspace. */
  readonly projectId: string | null
  /** The rules that a token met and that still count, with the roles of the token that they still give; none: its plain memberships alone. */
  readonly rules: readonly { readonly id: string; readonly roles: readonly string[] }[]
}

/** A role that a subject has, whence, and what it gives. */
export type RoleGrant = {
  readonly role: string
  readonly from: 'RULE' | 'MEMBERSHIP'
  /** The rule that gives it, or that a membership is bound to; absent of a plain membership. */
  readonly rule?: string
  /** Where it counts; null: in the whole workspace, and so in every project. */
  readonly projectId: string | null
  readonly permissions: readonly string[]
}

export type Grants = {
  readonly grants: readonly RoleGrant[]
  /** Whether there is the project that was asked for, and is not deleted; true of the workspace. */
  readonly placeExists: boolean
  /** What this is true of: another number each as soon as something of it changes. */
  readonly standsOn: GrantRevisions
}

/** That of the identity itself is whoever's who found it. */
export type GrantRevisions = {
  /** Of the project, and of its IamPolicy; null of the workspace, and where there is no such project. */
  readonly project: string | null
  readonly iamPolicy: string | null
  /** One for all roles. */
  readonly roles: string
}

/** In a project of that name. */
export type ProjectRole = { readonly projectId: string; readonly role: string }

export type GrantStore = {
  /**
   * What a subject has in a project, or in the workspace where that is null: in a project the workspace's roles count
   * too, in a deleted or unknown one nothing. One query, whatever number of members and projects there is.
   */
  find(subject: Subject, projectId: string | null): Promise<Grants>
  /** The memberships of a subject in all projects that are not deleted, by project and role; each once. */
  listMemberships(subject: Pick<Subject, 'identityId' | 'rules'>): Promise<readonly ProjectRole[]>
}

export function createGrantStore(db: Database): GrantStore {
  return {
    async find(subject, projectId) {
      const ofRules = subject.rules.flatMap(({ id, roles }) => roles.map((role) => ({ role, rule: id })))
      const [row] = await db.run<GrantRow>(FIND_GRANTS, [
        projectId,
        subject.identityId,
        JSON.stringify(subject.rules.map(({ id }) => id)),
        JSON.stringify(ofRules.map(({ role }) => idOfRole(role))),
      ])
      if (row === undefined) throw new Error('The table role_changes has no row.')
      const isThere = row.project_state === 'ACTIVE'
      const placeExists = projectId === null || isThere
      const custom = new Map(Object.entries(row.custom))
      const permissionsOf = (role: string) =>
        findBuiltInRole(idOfRole(role))?.permissions ?? custom.get(idOfRole(role)) ?? []
      const grants = [
        // Of a project's identity the rules' roles count there and nowhere else.
        ...(subject.projectId === null || subject.projectId === projectId ? ofRules : []).map((each) => ({
          ...each,
          from: 'RULE' as const,
          projectId: subject.projectId,
        })),
        ...row.memberships.map(({ role, rule }) => ({
          role,
          ...(rule !== '' && { rule }),
          from: 'MEMBERSHIP' as const,
          projectId,
        })),
      ]
      return {
        grants: placeExists
          ? grants.map((grant) => ({ ...grant, permissions: permissionsOf(grant.role) }))
          : [],
        placeExists,
        standsOn: {
          project: row.project_revision,
          iamPolicy: row.iam_revision,
          roles: row.roles_revision,
        },
      }
    },

    async listMemberships({ identityId, rules }) {
      const rows = await db.run<{ project_id: string; role: string }>(LIST_MEMBERSHIPS, [
        identityId,
        JSON.stringify(rules.map(({ id }) => id)),
      ])
      return rows.map(({ project_id: projectId, role }) => ({ projectId, role }))
    },
  }
}

type GrantRow = {
  readonly project_state: string | null
  readonly project_revision: string | null
  readonly iam_revision: string | null
  readonly roles_revision: string
  readonly memberships: readonly { readonly role: string; readonly rule: string }[]
  /** Permissions by the id of a role that is not built in. */
  readonly custom: Readonly<Record<string, readonly string[]>>
}

/** $1 project, $2 identity's id, $3 ids of the rules met, $4 ids of the roles that rules give; the latter two as JSON. */
const FIND_GRANTS: PreparedStatement = {
  name: 'find-grants',
  text: `
    with held as (
      select role, rule from project_bindings
        where identity_id = $2::uuid and project_id = $1
          and (rule = '' or rule in (select json_array_elements_text($3::json)))
    )
    select p.state as project_state, p.revision as project_revision, p.iam_revision, c.revision as roles_revision,
        (select coalesce(json_agg(held order by role, rule), '[]') from held) as memberships,
        (select coalesce(json_object_agg(id, permissions), '{}') from roles where id in (
          select json_array_elements_text($4::json) union select substr(role, ${ROLE_PREFIX.length + 1}) from held
        )) as custom
      from role_changes c left join projects p on p.id = $1`,
}

/** $1 identity's id, $2 ids of the rules met as JSON. */
const LIST_MEMBERSHIPS: PreparedStatement = {
  name: 'list-memberships',
  text: `
    select distinct b.project_id, b.role from project_bindings b
      join projects p on p.id = b.project_id and p.state = 'ACTIVE'
      where b.identity_id = $1::uuid and (b.rule = '' or b.rule in (select json_array_elements_text($2::json)))
      order by b.project_id, b.role`,
}
