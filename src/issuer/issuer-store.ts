import { type Kysely, type Selectable, sql } from 'kysely'
import type { Database } from '../db/database.ts'
import type { ListQuery } from '../db/list-query.ts'
import type { IssuerTable, Schema } from '../db/schema.ts'
import type { Issuer } from './issuer.ts'

export type NewIssuer = Omit<Issuer, 'revision'>
export type StoredIssuer = Issuer & { readonly createTime: Date; readonly updateTime: Date }

/** What of an issuer can be changed in place. */
export type IssuerChange = Partial<Pick<Issuer, 'title' | 'state' | 'algorithms' | 'jwks'>>

export type IssuerStore = {
  /** By id. */
  list(query: ListQuery): Promise<readonly StoredIssuer[]>
  get(id: string): Promise<StoredIssuer | undefined>
  /** By exact code points of the URL. */
  findByUrl(issuerUrl: string): Promise<StoredIssuer | undefined>
  /** One whose URL differs by case or a slash at the end alone. */
  findSimilar(issuerUrl: string): Promise<StoredIssuer | undefined>
  isTaken(id: string): Promise<boolean>
}

export function createIssuerStore(db: Database): IssuerStore {
  const select = () => db.kysely.selectFrom('issuers').selectAll()
  return {
    async list({ after, showDeleted, limit }) {
      // In the order of code points, whatever the database's collation is.
      const place = sql<string>`id collate "C"`
      let page = select().orderBy(place).limit(limit)
      if (after !== undefined) page = page.where(place, '>', after)
      if (!showDeleted) page = page.where('state', '<>', 'DELETED')
      return (await page.execute()).map(fromRow)
    },
    async get(id) {
      const row = await select().where('id', '=', id).executeTakeFirst()
      return row && fromRow(row)
    },
    async findByUrl(issuerUrl) {
      const row = await select().where('issuer_url', '=', issuerUrl).executeTakeFirst()
      return row && fromRow(row)
    },
    async findSimilar(issuerUrl) {
      const bare = issuerUrl.toLowerCase().replace(/\/$/, '')
      const row = await select()
        .where(sql<string>`lower(issuer_url collate "C")`, 'in', [bare, `${bare}/`])
        .where('issuer_url', '<>', issuerUrl)
        .orderBy(sql`id collate "C"`)
        .executeTakeFirst()
      return row && fromRow(row)
    },
    async isTaken(id) {
      return (await select().where('id', '=', id).executeTakeFirst()) !== undefined
    },
  }
}

/** Adds an issuer; throws the database's unique violation where its id or URL is taken. */
export async function insertIssuer(trx: Kysely<Schema>, issuer: NewIssuer, now: Date): Promise<StoredIssuer> {
  const row = await trx
    .insertInto('issuers')
    .values({
      id: issuer.id,
      issuer_url: issuer.issuerUrl,
      title: issuer.title,
      provider_type: issuer.providerType,
      state: issuer.state,
      algorithms: [...issuer.algorithms],
      jwks: issuer.jwks === null ? null : JSON.stringify(issuer.jwks),
      create_time: now,
      update_time: now,
    })
    .returningAll()
    .executeTakeFirstOrThrow()
  return fromRow(row)
}

/** Keeps an issuer from changing until the transaction ends, and tells what it is now. */
export async function lockIssuer(trx: Kysely<Schema>, id: string): Promise<StoredIssuer | undefined> {
  const row = await trx
    .selectFrom('issuers')
    .selectAll()
    .where('id', '=', id)
    .forNoKeyUpdate()
    .executeTakeFirst()
  return row && fromRow(row)
}

/** Writes what an issuer, which is locked, is from now on. */
export async function writeIssuer(
  trx: Kysely<Schema>,
  id: string,
  { algorithms, jwks, ...rest }: IssuerChange,
  now: Date,
): Promise<StoredIssuer> {
  const row = await trx
    .updateTable('issuers')
    .set({
      ...rest,
      ...(algorithms && { algorithms: [...algorithms] }),
      ...(jwks !== undefined && { jwks: jwks === null ? null : JSON.stringify(jwks) }),
      revision: sql`nextval('revisions')`,
      update_time: now,
    })
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow()
  return fromRow(row)
}

function fromRow(row: Selectable<IssuerTable>): StoredIssuer {
  return {
    id: row.id,
    issuerUrl: row.issuer_url,
    title: row.title,
    providerType: row.provider_type as Issuer['providerType'],
    state: row.state as Issuer['state'],
    algorithms: row.algorithms as Issuer['algorithms'],
    jwks: row.jwks as Issuer['jwks'],
    revision: row.revision,
    createTime: row.create_time,
    updateTime: row.update_time,
  }
}
