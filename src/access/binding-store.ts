import { type Kysely, sql } from 'kysely'
import type { Database } from '../db/database.ts'
import type { Schema } from '../db/schema.ts'
import { type IamPolicy, memberText } from './iam-policy.ts'

/** A role that an identity has in a project, as it is stored, and what the identity is called now. */
export type Binding = {
  readonly role: string
  readonly identityId: string
  readonly rule: string
  readonly email: string
  readonly isDeleted: boolean
}

/** An identity that may be a member. */
export type MemberIdentity = {
  readonly id: string
  readonly email: string
  readonly isDeleted: boolean
  /** The project that it belongs to; null where that is the workspace. */
  readonly projectId: string | null
  /** Their ids, those of disabled ones too. */
  readonly rules: readonly string[]
}

export type BindingStore = {
  /** The IamPolicy of a project, whose project may be deleted; undefined where there never was one. */
  get(projectId: string): Promise<IamPolicy | undefined>
}

export function createBindingStore(db: Database): BindingStore {
  return {
    async get(projectId) {
      // First the revision: of a change between the two the etag is then too old, and not too new.
      const project = await db.kysely
        .selectFrom('projects')
        .select('iam_revision')
        .where('id', '=', projectId)
        .executeTakeFirst()
      if (project === undefined) return undefined
      return toIamPolicy(await listBindings(db.kysely, projectId), project.iam_revision)
    },
  }
}

export function toIamPolicy(bindings: readonly Binding[], revision: string): IamPolicy {
  const byRole = Map.groupBy(bindings, ({ role }) => role)
  return {
    bindings: [...byRole.keys()].sort().map((role) => ({
      role,
      members: (byRole.get(role) ?? []).map(memberText).sort(),
    })),
    revision,
  }
}

/** Those of identities whose email was given anew are gone: nobody has them, and nobody can get them back. */
export async function listBindings(trx: Kysely<Schema>, projectId: string): Promise<readonly Binding[]> {
  const rows = await trx
    .selectFrom('project_bindings')
    .innerJoin('workload_identities', 'workload_identities.id', 'project_bindings.identity_id')
    .select(['role', 'identity_id', 'rule', 'email', 'state'])
    .where('project_bindings.project_id', '=', projectId)
    .where('superseded', '=', false)
    .execute()
  return rows.map(({ identity_id: identityId, state, ...row }) => ({
    ...row,
    identityId,
    isDeleted: state === 'DELETED',
  }))
}

/** Keeps the identities of these emails from being changed or deleted until the transaction ends; always in one order. */
export async function holdIdentities(
  trx: Kysely<Schema>,
  emails: readonly string[],
): Promise<readonly MemberIdentity[]> {
  const rows = await trx
    .selectFrom('workload_identities')
    .select(['id', 'email', 'state', 'project_id', sql<{ rules: { id: string }[] }>`config`.as('config')])
    .where(
      sql<boolean>`not superseded and email in (select json_array_elements_text(${JSON.stringify(emails)}::json))`,
    )
    .orderBy('id')
    .forKeyShare()
    .execute()
  return rows.map(({ id, email, state, project_id: projectId, config }) => ({
    id,
    email,
    projectId,
    isDeleted: state === 'DELETED',
    rules: config.rules.map((rule) => rule.id),
  }))
}

type StoredBinding = Pick<Binding, 'role' | 'identityId' | 'rule'>

/** Writes what a project's bindings are from now on; the project is locked. Returns the revision of its IamPolicy. */
export async function writeBindings(
  trx: Kysely<Schema>,
  projectId: string,
  {
    added,
    removed,
  }: { readonly added: readonly StoredBinding[]; readonly removed: readonly StoredBinding[] },
): Promise<string> {
  const rows = (bindings: readonly StoredBinding[]) =>
    sql`json_to_recordset(${JSON.stringify(
      bindings.map(({ role, identityId, rule }) => ({ role, identity_id: identityId, rule })),
    )}::json) as b(role text, identity_id uuid, rule text)`
  if (removed.length > 0) {
    await sql`
      delete from project_bindings using ${rows(removed)}
        where project_id = ${projectId} and project_bindings.role = b.role
          and project_bindings.identity_id = b.identity_id and project_bindings.rule = b.rule`.execute(trx)
  }
  if (added.length > 0) {
    await sql`
      insert into project_bindings (project_id, role, identity_id, rule)
        select ${projectId}, b.role, b.identity_id, b.rule from ${rows(added)}`.execute(trx)
  }
  const { iam_revision: revision } = await trx
    .updateTable('projects')
    .set({ iam_revision: sql`nextval('revisions')` })
    .where('id', '=', projectId)
    .returning('iam_revision')
    .executeTakeFirstOrThrow()
  return revision
}
