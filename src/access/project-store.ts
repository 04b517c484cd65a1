import { type Kysely, type Selectable, sql, type Updateable } from 'kysely'
import type { Database } from '../db/database.ts'
import type { ListQuery } from '../db/list-query.ts'
import type { ProjectTable, Schema } from '../db/schema.ts'
import { whereFilter } from '../db/where-filter.ts'
import type { FilterTerm } from '../fields/parse-filter.ts'
import type { Project } from './project.ts'

export type ProjectQuery = ListQuery & { readonly filter: readonly FilterTerm[] }

export type ProjectStore = {
  /** A deleted one too. */
  get(id: string): Promise<Project | undefined>
  /** By id. */
  list(query: ProjectQuery): Promise<readonly Project[]>
}

/** What projects can be filtered by, each with its column. */
const FILTER_COLUMNS = {
  name: sql<string>`'projects/' || id`,
  title: sql<string>`title`,
  state: sql<string>`state`,
}

export function createProjectStore(db: Database): ProjectStore {
  return {
    async get(id) {
      const row = await db.kysely.selectFrom('projects').selectAll().where('id', '=', id).executeTakeFirst()
      return row && fromRow(row)
    },

    async list({ filter, showDeleted, after, limit }) {
      let select = db.kysely
        .selectFrom('projects')
        .selectAll()
        .where(whereFilter(filter, FILTER_COLUMNS))
        .orderBy('id')
        .limit(limit)
      if (!showDeleted) select = select.where('state', '<>', 'DELETED')
      if (after !== undefined) select = select.where('id', '>', after)
      return (await select.execute()).map(fromRow)
    },
  }
}

/** Adds a project; undefined where the id is taken, also by a deleted one. */
export async function insertProject(
  trx: Kysely<Schema>,
  { id, title }: Pick<Project, 'id' | 'title'>,
  now: Date,
): Promise<Project | undefined> {
  const row = await trx
    .insertInto('projects')
    .values({ id, title, state: 'ACTIVE', create_time: now, update_time: now })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .returningAll()
    .executeTakeFirst()
  return row && fromRow(row)
}

/** Keeps a project from changing until the transaction ends, and tells what it is now. */
export async function lockProject(trx: Kysely<Schema>, id: string): Promise<Project | undefined> {
  const row = await trx
    .selectFrom('projects')
    .selectAll()
    .where('id', '=', id)
    .forNoKeyUpdate()
    .executeTakeFirst()
  return row && fromRow(row)
}

/** Writes what a project, which is locked, is from now on. */
export async function writeProject(
  trx: Kysely<Schema>,
  id: string,
  change: Pick<Updateable<ProjectTable>, 'title' | 'state'>,
  now: Date,
): Promise<Project> {
  const row = await trx
    .updateTable('projects')
    .set({ ...change, revision: sql`nextval('revisions')`, update_time: now })
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow()
  return fromRow(row)
}

function fromRow(row: Selectable<ProjectTable>): Project {
  return {
    id: row.id,
    title: row.title,
    state: row.state as Project['state'],
    revision: row.revision,
    iamRevision: row.iam_revision,
    createTime: row.create_time,
    updateTime: row.update_time,
  }
}
