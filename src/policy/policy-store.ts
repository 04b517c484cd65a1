import { type Kysely, sql } from 'kysely'
import type { Database } from '../db/database.ts'
import type { Schema } from '../db/schema.ts'
import type { ProviderType } from '../provider/providers.ts'
import { providerOfModules } from './compile-policy.ts'
import { compressCode, type PolicyCode } from './policy-code.ts'

/** A compiled policy as it is kept for ever, named by the digest of what it was made from. */
export type StoredPolicy = {
  readonly digest: string
  readonly compiler: string
  readonly entrypoint: string
  readonly modules: readonly { readonly path: string; readonly source: string }[]
  readonly wasm: Uint8Array
}

export type PolicyStore = {
  has(digest: string): Promise<boolean>
  get(digest: string): Promise<(Omit<StoredPolicy, 'wasm'> & { readonly compileTime: Date }) | undefined>
  loadCode(digest: string): Promise<PolicyCode | undefined>
  /** Whose tokens it judges, as its modules tell; undefined where there is no such policy. */
  findProvider(digest: string): Promise<ProviderType | undefined>
}

export function createPolicyStore(db: Database): PolicyStore {
  const where = (digest: string) => db.kysely.selectFrom('policies').where('digest', '=', digest)
  return {
    async has(digest) {
      return (await where(digest).select('digest').executeTakeFirst()) !== undefined
    },
    async get(digest) {
      const row = await where(digest)
        .select(['digest', 'compiler', 'entrypoint', 'modules', 'compile_time'])
        .executeTakeFirst()
      return row && { ...row, compileTime: row.compile_time }
    },
    async loadCode(digest) {
      return (await where(digest).select('wasm').executeTakeFirst())?.wasm
    },
    async findProvider(digest) {
      const row = await where(digest)
        .select(
          sql<string[]>`array(select module->>'path' from json_array_elements(modules) as module)`.as(
            'paths',
          ),
        )
        .executeTakeFirst()
      return row && providerOfModules(row.paths)
    },
  }
}

/** Keeps a policy; one that is there already stays as it is. */
export async function insertPolicy(trx: Kysely<Schema>, policy: StoredPolicy, now: Date): Promise<void> {
  await trx
    .insertInto('policies')
    .values({
      digest: policy.digest,
      compiler: policy.compiler,
      entrypoint: policy.entrypoint,
      modules: JSON.stringify(policy.modules),
      wasm: await compressCode(policy.wasm),
      compile_time: now,
    })
    .onConflict((conflict) => conflict.column('digest').doNothing())
    .execute()
}
