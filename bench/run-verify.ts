import { runClaimgate } from './run-claimgate.ts'

/** `claimgate decisions verify` on a database: what it says, and what it took. */
export async function runVerify(databaseUrl: string, identity: string) {
  const { answer, ...took } = await runClaimgate(['decisions', 'verify', '--identity', identity], {
    DATABASE_URL: databaseUrl,
    ADMIN_TOKEN: 'x'.repeat(32),
    KEY_ENCRYPTION_KEY: Buffer.alloc(32).toString('base64'),
    LOG_LEVEL: 'fatal',
  })
  return { verified: Number(answer.verified), different: Number(answer.different), ...took }
}
