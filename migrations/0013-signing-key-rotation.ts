import { type Kysely, sql } from 'kysely'

/**
 * Signing keys that are replaced: one that waits until verifiers know it, one that signs, those before it while their
 * tokens live. A row stays for ever, as decisions name it; its private key goes once it does not sign.
 * A key that signs already counts as new, so that it is not replaced while instances of the release before still run,
 * which would neither publish nor use another.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    alter table signing_keys
      alter column encrypted_private_key drop not null,
      add column activate_time timestamptz default now(),
      add column retire_time timestamptz,
      add column drop_time timestamptz,
      drop constraint signing_keys_known_state,
      add constraint signing_keys_known_state
        check (state in ('PENDING', 'ACTIVE', 'RETIRED', 'DROPPED', 'REVOKED'))`.execute(db)
  await sql`update signing_keys set encrypted_private_key = null where state <> 'ACTIVE'`.execute(db)
  await sql`
    alter table signing_keys
      add constraint signing_keys_private_while_signing
        check ((encrypted_private_key is not null) = (state in ('PENDING', 'ACTIVE')))`.execute(db)
  await sql`create unique index signing_keys_one_pending on signing_keys (state) where state = 'PENDING'`.execute(
    db,
  )
}
