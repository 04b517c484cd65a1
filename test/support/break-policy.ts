import { runSql, type World } from './world.ts'

/** Gives an identity a policy that does not run, which no call can; on PostgreSQL only. */
export async function breakPolicy({ databaseUrl }: World, email: string): Promise<void> {
  if (databaseUrl === undefined) throw new Error('The embedded database has no second way in.')
  const digest = `sha256:${'0'.repeat(64)}`
  await runSql(
    databaseUrl,
    `insert into policies (digest, compiler, entrypoint, modules, wasm, compile_time)
       values ($1, 'none', 'claimgate/verdict', '[]', '\\x00', now())`,
    [digest],
  )
  await runSql(
    databaseUrl,
    `update workload_identities set policy_digest = $1, revision = nextval('revisions') where email = $2`,
    [digest, email],
  )
}
