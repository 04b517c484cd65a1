import { type Kysely, type Selectable, sql } from 'kysely'
import type { Database } from '../db/database.ts'
import type { ListQuery } from '../db/list-query.ts'
import type { RoleTable, Schema } from '../db/schema.ts'
import { whereFilter } from '../db/where-filter.ts'
import type { FilterTerm } from '../fields/parse-filter.ts'
import { BUILT_IN_ROLES, findBuiltInRole } from './built-in-roles.ts'
import { type OwnPermissions, ownPermissions } from './caller.ts'
import type { Permission } from './permissions.ts'
import { idOfRole, ROLE_PREFIX, type Role } from './role.ts'

export type RoleQuery = Omit<ListQuery, 'showDeleted'> & { readonly filter: readonly FilterTerm[] }

export type RoleStore = {
  get(id: string): Promise<Role | undefined>
  /** The built-in ones among them, by id. */
  list(query: RoleQuery): Promise<readonly Role[]>
  /** Of every role there is what it gives of claimgate's own. */
  listOwnPermissions(): Promise<OwnPermissions>
  /** What these roles give together of claimgate's own; one that is not there gives nothing. */
  permissionsOf(names: readonly string[]): Promise<ReadonlySet<Permission>>
}

/** What roles can be filtered by, each with its column. */
const FILTER_COLUMNS = {
  name: sql<string>`${ROLE_PREFIX}::text || id`,
  title: sql<string>`title`,
  type: sql<string>`type`,
}

export function createRoleStore(db: Database): RoleStore {
  return {
    async get(id) {
      const builtIn = findBuiltInRole(id)
      if (builtIn !== undefined) return builtIn
      const row = await db.kysely.selectFrom('roles').selectAll().where('id', '=', id).executeTakeFirst()
      return row && fromRow(row)
    },

    async list({ filter, after, limit }) {
      // Those of the code lie among those of the table, so the database filters and sorts them together.
      const { rows } = await sql<ListedRow>`
        select * from (
          select id, title, description, permissions, revision, create_time, update_time, 'CUSTOM' as type from roles
          union all
          select id collate "C", title, description, '{}', 0, null, null, 'BUILT_IN'
            from json_to_recordset(${JSON.stringify(BUILT_IN_ROLES)}::json) as built_in(id text, title text, description text)
        ) as roles
        where ${whereFilter(filter, FILTER_COLUMNS)} and ${after === undefined ? sql`true` : sql`id > ${after}`}
        order by id collate "C" limit ${limit}`.execute(db.kysely)
      return rows.map((row) => findBuiltInRole(row.id) ?? fromRow(row))
    },

    async listOwnPermissions() {
      const custom = await ownPermissionRows(db.kysely).execute()
      return new Map([...BUILT_IN_ROLES, ...custom].map(toEntry))
    },

    async permissionsOf(names) {
      const ids = names.map(idOfRole)
      const custom = ids.filter((id) => findBuiltInRole(id) === undefined)
      const rows =
        custom.length === 0 ? [] : await ownPermissionRows(db.kysely).where('id', 'in', custom).execute()
      const builtIn = BUILT_IN_ROLES.filter(({ id }) => ids.includes(id))
      return ownPermissions([...builtIn, ...rows].flatMap(({ permissions }) => permissions))
    },
  }
}

/** Adds a role; undefined where the id is taken. */
export async function insertRole(
  trx: Kysely<Schema>,
  role: Pick<Role, 'id' | 'title' | 'description' | 'permissions'>,
  now: Date,
): Promise<Role | undefined> {
  const row = await trx
    .insertInto('roles')
    .values({ ...role, permissions: [...role.permissions], create_time: now, update_time: now })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .returningAll()
    .executeTakeFirst()
  return row && fromRow(row)
}

/** Keeps a role from being changed, and from being given to anybody, until the transaction ends. */
export async function lockRole(trx: Kysely<Schema>, id: string): Promise<Role | undefined> {
  const row = await trx.selectFrom('roles').selectAll().where('id', '=', id).forUpdate().executeTakeFirst()
  return row && fromRow(row)
}

/** Writes what a role, which is locked, is from now on. */
export async function writeRole(
  trx: Kysely<Schema>,
  { id, ...changed }: Pick<Role, 'id' | 'title' | 'description' | 'permissions'>,
  now: Date,
): Promise<Role> {
  const row = await trx
    .updateTable('roles')
    .set({
      ...changed,
      permissions: [...changed.permissions],
      revision: sql`nextval('revisions')`,
      update_time: now,
    })
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow()
  return fromRow(row)
}

/** Removes a role, which is locked and used nowhere. */
export async function removeRole(trx: Kysely<Schema>, id: string): Promise<void> {
  await trx.deleteFrom('roles').where('id', '=', id).execute()
}

/**
 * Keeps roles from being deleted or changed until the transaction ends, so that none goes while somebody is given it.
 * Tells what those that there are give of claimgate's own by now.
 */
export async function holdRoles(trx: Kysely<Schema>, names: readonly string[]): Promise<OwnPermissions> {
  const ids = new Set(names.map(idOfRole))
  const builtIn = [...ids].map(findBuiltInRole).filter((role) => role !== undefined)
  const rest = [...ids].filter((id) => findBuiltInRole(id) === undefined)
  const custom =
    rest.length === 0
      ? []
      : await ownPermissionRows(trx).where('id', 'in', rest).orderBy('id').forKeyShare().execute()
  return new Map([...builtIn, ...custom].map(toEntry))
}

/** Where a role is given; a deleted identity can be brought back, unless its email was given anew. */
export type RoleUse = { readonly where: string; readonly others: number }

/** The first use of a role and how many more there are, or undefined. */
export async function findRoleUse(trx: Kysely<Schema>, id: string): Promise<RoleUse | undefined> {
  const name = `${ROLE_PREFIX}${id}`
  const { rows } = await sql<{ place: string; uses: string }>`
    with uses as (
      select 1 as kind, 'rule ''' || (rule ->> 'id') || ''' of workloadIdentities/' || email as place
        from workload_identities, json_array_elements(config -> 'rules') as rule
        where not superseded and strpos(config::text, ${JSON.stringify(name)}) > 0
          and (rule -> 'roles')::jsonb ? ${name}
      union all
      select 2, 'workloadIdentities/' || email || ' in the IamPolicy of projects/' || b.project_id
        from project_bindings b join workload_identities i on i.id = b.identity_id
        where b.role = ${name} and not i.superseded
      union all
      select 3, 'adminTokens/' || id from admin_tokens where delete_time is null and ${name} = any(roles)
    )
    select place, count(*) over () as uses from uses order by kind, place limit 1`.execute(trx)
  const [first] = rows
  return first && { where: first.place, others: Number(first.uses) - 1 }
}

function ownPermissionRows(kysely: Kysely<Schema>) {
  return kysely
    .selectFrom('roles')
    .select([
      'id',
      sql<
        string[]
      >`array(select each from unnest(permissions) as each where starts_with(each, 'claimgate.'))`.as(
        'permissions',
      ),
    ])
}

function toEntry({ id, permissions }: Pick<Role, 'id' | 'permissions'>) {
  return [`${ROLE_PREFIX}${id}`, ownPermissions(permissions)] as const
}

type RoleRow = Omit<Selectable<RoleTable>, 'create_time' | 'update_time'> & {
  readonly create_time: Date | null
  readonly update_time: Date | null
}
type ListedRow = RoleRow & { readonly type: string }

function fromRow(row: RoleRow): Role {
  return {
    id: row.id,
    title: row.title,
    description: row.description,
    permissions: row.permissions,
    type: 'CUSTOM',
    revision: row.revision,
    ...(row.create_time !== null && { createTime: row.create_time }),
    ...(row.update_time !== null && { updateTime: row.update_time }),
  }
}
