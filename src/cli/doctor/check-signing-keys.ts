import type { Database } from '../../db/database.ts'
import { createKeyEncryption, type KeyEncryption } from '../../issuance/key-encryption.ts'
import type { StoredSigningKey } from '../../issuance/signing-key.ts'
import { readPublishedKeys } from '../../issuance/signing-key-store.ts'
import type { Check, Seen } from './finding.ts'

const DAY_MS = 86_400_000
/** What NIST SP 800-57 gives a private signature key at most is one to three years. */
const OLD_AFTER_DAYS = 365
/** An instance looks every two seconds; one whose clock is behind takes a little longer. */
const LATE_AFTER_MS = 300_000

/** Whether access tokens can be signed, now and by the next key, and whether the key that signs is replaced in time. */
export function signingKeyChecks(
  db: Database,
  keyEncryptionKeys: readonly Uint8Array[],
  rotationDays: number,
): readonly Check[] {
  const encryption = createKeyEncryption(keyEncryptionKeys)
  return [
    {
      name: 'signing key',
      look: async () => checkSigningKeys(await readPublishedKeys(db), encryption, rotationDays),
    },
    {
      name: 'key encryption',
      look: async () => checkEncryption(await readPublishedKeys(db), encryption, keyEncryptionKeys.length),
    },
  ]
}

async function checkSigningKeys(
  keys: readonly StoredSigningKey[],
  encryption: KeyEncryption,
  rotationDays: number,
): Promise<Seen> {
  const active = keys.find(({ state }) => state === 'ACTIVE')
  const pending = keys.find(({ state }) => state === 'PENDING')
  if (active === undefined) return ['ok', 'There is none yet: the first start makes it.']
  for (const { kid, sealed } of [active, ...(pending ? [pending] : [])]) {
    if (await opens(encryption, kid, sealed ?? '')) continue
    return [
      'problem',
      `KEY_ENCRYPTION_KEY does not open ${kid}: give the one that it was made with, beside others if need be.`,
    ]
  }
  const due = pending?.activateTime?.getTime() ?? Number.POSITIVE_INFINITY
  if (pending !== undefined && Date.now() - due > LATE_AFTER_MS) {
    return [
      'warning',
      `${pending.kid} should sign since ${pending.activateTime?.toISOString()}: start an instance; if one runs, see its log.`,
    ]
  }
  return checkAge(active, pending, rotationDays)
}

function checkAge(
  active: StoredSigningKey,
  pending: StoredSigningKey | undefined,
  rotationDays: number,
): Seen {
  const days = Math.floor((Date.now() - (active.activateTime ?? active.createTime).getTime()) / DAY_MS)
  const age = `It has signed for ${days} days`
  if (pending !== undefined)
    return ['ok', `${age}; the next one signs from ${pending.activateTime?.toISOString()} on.`]
  if (rotationDays > 0 && days > rotationDays) {
    return [
      'warning',
      `${age}, and SIGNING_KEY_ROTATION_DAYS is ${rotationDays}: start an instance; if one runs, see its log.`,
    ]
  }
  if (days <= OLD_AFTER_DAYS) return ['ok', `${age}.`]
  return ['warning', `${age}: replace it by 'npm run claimgate -- keys rotate'.`]
}

/** Which of several encryption keys are needed; one that is missing is the check's above. */
function checkEncryption(keys: readonly StoredSigningKey[], encryption: KeyEncryption, count: number): Seen {
  const later = keys.find(({ sealed }) => sealed !== null && encryption.sealedBy(sealed) > 0)
  if (later !== undefined) {
    return [
      'warning',
      `${later.kid} is not sealed with the first key of KEY_ENCRYPTION_KEY yet: restart an instance, which seals it anew.`,
    ]
  }
  if (count <= 1) return ['ok', 'There is one key, and no other is needed.']
  return [
    'warning',
    'Nothing needs any but the first key of KEY_ENCRYPTION_KEY: once every instance has that one first, take the others away.',
  ]
}

async function opens(encryption: KeyEncryption, kid: string, sealed: string): Promise<boolean> {
  return encryption.open(sealed, kid).then(
    () => true,
    () => false,
  )
}
